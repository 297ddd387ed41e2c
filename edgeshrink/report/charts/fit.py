"""What must fit the budget's RAM: the parts of it as one bar, what was resident at most as another, and the limit."""

from __future__ import annotations

from markupsafe import Markup

from edgeshrink.core.measurement import NOT_SEEN, Memory
from edgeshrink.core.reading import Measured, Reading
from edgeshrink.core.report import Report
from edgeshrink.report.charts import svg
from edgeshrink.report.format import human_bytes, limit_value
from edgeshrink.report.session_told import paging_text, ram_limit

_ID = "fit"
_TITLE = "Does it fit the RAM?"
_HEAD = 6.0
_ROW = 52.0
_BAR = 16.0
_LEFT, _RIGHT = 6.0, 446.0


def fit_chart(report: Report) -> svg.Figure:
    """Two bars that begin at zero: peak anonymous + mapped weights (+ the GPU's share), and the peak of the process."""
    memory = report.measurements.memory if report.measurements else None
    if memory is None or memory.fit_bytes == NOT_SEEN:
        return svg.Figure(_ID, _TITLE, "No session saw what must fit.", None)
    if not isinstance(memory.fit_bytes, Measured):
        return svg.Figure(_ID, _TITLE, f"Not known: {memory.fit_bytes.reason}.", None)
    rows = _rows(memory, memory.fit_bytes.value)
    limit = ram_limit(report)
    most = max([sum(part for part, _ in parts) for _, parts in rows] + ([limit.limit] if limit else []))
    x = svg.Scale(0.0, most * 1.02, _LEFT, _RIGHT)
    bottom = _HEAD + _ROW * len(rows)
    parts: list[Markup] = []
    for index, (label, pieces) in enumerate(rows):
        parts += _bar(label, pieces, _HEAD + _ROW * index, x)
        if limit is not None:
            up = _HEAD + _ROW * index + 16
            parts.append(svg.element("rect", x=x(limit.limit) - 1.5, y=up, width=3, height=_BAR + 6, class_="bound"))
    said = "; ".join(f"{label}: {_spelled(pieces)}" for label, pieces in rows)
    gpu = ", the GPU's share" if isinstance(memory.gpu_bytes, Measured) else ""
    mapped = any(part > 0 for part, kind in rows[0][1] if kind == "area-file")
    weights, room = (
        (", weights that stay in the mapped file", " Mapped weights must have room whole.") if mapped else ("", "")
    )
    caption = (
        f"Must fit: peak anonymous memory{weights}{gpu}. Resident: the most that the process held, anonymous and "
        f"file-backed.{room}"
    )
    if limit is not None:
        at, words = x(limit.limit), f"budget {limit_value(limit)}"
        side, anchor = (3.0, "end") if at > 150 else (-3.0, "start")
        parts.append(svg.text(at + side, bottom + 8, words, "limit-label", anchor))
        said = f"{said}; {words}"
    if paging := paging_text(memory):
        caption += f" Paging: {paging}."
    return svg.Figure(_ID, _TITLE, caption, svg.drawing(_ID, _TITLE, said, parts, height=bottom + 18))


def _rows(memory: Memory, fit: float) -> list[tuple[str, list[tuple[float, str]]]]:
    anon, gpu = _value(memory.peak_anon_bytes), _value(memory.gpu_bytes)
    anon = min(anon, fit)
    gpu = min(gpu, fit - anon)
    must = [(anon, "area-anon"), (fit - anon - gpu, "area-file"), (gpu, "area-gpu")]
    rows = [("must fit", must)]
    if isinstance(memory.peak_rss_bytes, Measured):
        peak = memory.peak_rss_bytes.value
        private = min(_value(memory.peak_anon_bytes), peak)
        rows.append(("resident", [(private, "area-anon"), (peak - private, "area-file")]))
    return rows


def _bar(label: str, pieces: list[tuple[float, str]], top: float, x: svg.Scale) -> list[Markup]:
    base = top + 12
    parts = [svg.text(_LEFT, base, label, "name"), svg.text(_RIGHT, base, _spelled(pieces), "label", "end")]
    at = 0.0
    for nbytes, class_ in pieces:
        if nbytes > 0:
            width = max(1.0, x(at + nbytes) - x(at))
            parts.append(svg.element("rect", x=x(at), y=base + 7, width=width, height=_BAR, class_=class_))
            at += nbytes
    return [*parts, svg.line(_LEFT, base + 5, _LEFT, base + _BAR + 9, "axis")]


def _spelled(pieces: list[tuple[float, str]]) -> str:
    """`121 MiB + 763 MiB = 884 MiB`."""
    known = [human_bytes(nbytes) for nbytes, _ in pieces if nbytes > 0]
    total = human_bytes(sum(nbytes for nbytes, _ in pieces))
    return f"{' + '.join(known)} = {total}" if len(known) > 1 else total


def _value(reading: Reading) -> float:
    return max(0.0, reading.value) if isinstance(reading, Measured) else 0.0
