"""The formats of one build side by side: small multiples of size, quality, speed and memory, one bar a format."""

from __future__ import annotations

from markupsafe import Markup

from edgeshrink.core.reading import Measured
from edgeshrink.core.report import Comparison
from edgeshrink.report.charts import svg
from edgeshrink.report.comparison import NOT_BUILT, Shown, names, shown_figures
from edgeshrink.report.format import DASH, human, limit_text, short_text

_ID = "formats"
_TITLE = "The formats side by side"
_PANELS = ("size", "quality", "speed", "memory")
_ROW = 42.0
_HEAD = 34.0
_BAR = 12.0
_LEFT, _RIGHT = 6.0, 446.0


def formats_chart(comparison: Comparison) -> svg.Figure:
    """Four drawings in one figure. Every bar begins at zero; the budget's limit is a mark across it if near."""
    shown = [figure for figure in shown_figures(comparison) if figure.id in _PANELS]
    if not any(isinstance(reading, Measured) for figure in shown for reading in figure.readings):
        return svg.Figure(_ID, _TITLE, "No format was built, so there is nothing to compare.", None)
    labels = names(comparison)
    best = tuple(outcome.format == comparison.best for outcome in comparison.outcomes)
    panels = Markup("").join(_panel(figure, labels, best) for figure in shown)
    caption = "Every bar begins at zero. The red mark across it is the budget's limit."
    if any(isinstance(reading, Measured) for figure in shown for reading in figure.within):
        caption += " The first, fainter part of peak RSS was there before the file was opened."
    if any(best):
        caption += " The star marks the format that fits the budget best."
    return svg.Figure(_ID, _TITLE, caption, Markup('<div class="panels">{}</div>').format(panels))


def _panel(figure: Shown, labels: tuple[str, ...], best: tuple[bool, ...]) -> Markup:
    lengths = [_length(figure, reading.value) if isinstance(reading, Measured) else 0.0 for reading in figure.readings]
    limit = None if figure.limit is None else _length(figure, figure.limit.limit)
    most = max(lengths)
    near = limit is not None and 0 < limit <= 1.8 * most
    x = svg.Scale(0.0, max(most, limit if limit and near else 0.0) * 1.02 or 1.0, _LEFT, _RIGHT)
    bottom = _HEAD + _ROW * len(labels)
    parts = [
        svg.text(_LEFT, 14, _title(figure), "name"),
        svg.text(
            _RIGHT,
            14,
            "more is better" if figure.higher_is_better and _plain(figure) else "less is better",
            "title",
            "end",
        ),
    ]
    for index, (label, reading) in enumerate(zip(labels, figure.readings, strict=True)):
        base = _HEAD + _ROW * index + 12
        value = short_text(reading, figure.unit)
        if not isinstance(reading, Measured):
            value = f"{DASH} {'not built' if reading.reason == NOT_BUILT else 'not measured'}"
        parts += [
            svg.text(_LEFT, base, f"★ {label}" if best[index] else label, "name" if best[index] else "label"),
            svg.text(_RIGHT, base, value, "name" if best[index] else "label", "end"),
        ]
        if not isinstance(reading, Measured):
            continue
        top, end = base + 7, base + 7 + _BAR
        parts.append(svg.line(_LEFT, top - 2, _LEFT, end + 2, "axis"))
        width = max(1.0, x(lengths[index]) - _LEFT)
        if lengths[index] > 0:
            parts.append(svg.element("rect", x=_LEFT, y=top, width=width, height=_BAR, class_="mark data"))
        if figure.within and isinstance(part := figure.within[index], Measured):
            width = min(width, x(max(0.0, part.value)) - _LEFT)
            parts.append(svg.element("rect", x=_LEFT, y=top, width=width, height=_BAR, class_="mark before"))
        if limit is not None and near:
            parts.append(svg.element("rect", x=x(limit) - 1.5, y=top - 2, width=3, height=_BAR + 5, class_="bound"))
    said = "; ".join(f"{label}: {_said(figure, index)}" for index, label in enumerate(labels))
    if figure.limit is not None and limit is not None:
        words = f"limit {limit_text(figure.limit)}"
        said = f"{said}; {words}"
        if near:
            at = x(limit)
            side, anchor = (3.0, "end") if at > 240 else (-3.0, "start")
            parts.append(svg.text(at + side, bottom + 14, words, "limit-label", anchor))
        else:
            parts.append(svg.text(_RIGHT, bottom + 16, f"{words}: far off", "faint", "end"))
    return svg.drawing(f"{_ID}-{figure.id}", _title(figure), said, parts, height=bottom + 24)


def _plain(figure: Shown) -> bool:
    """Whether a bar is as long as its figure: a cosine's is as long as its distance from 1."""
    return figure.unit != "cosine"


def _length(figure: Shown, value: float) -> float:
    return max(0.0, value) if _plain(figure) else max(0.0, 1 - value)


def _title(figure: Shown) -> str:
    return figure.label if _plain(figure) else f"{figure.label}: distance from 1"


def _said(figure: Shown, index: int) -> str:
    reading = figure.readings[index]
    return human(reading.value, figure.unit) if isinstance(reading, Measured) else reading.reason
