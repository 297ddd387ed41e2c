"""Where losses come from: how much of each comes back when a group of tensors is put back to full precision."""

from __future__ import annotations

from markupsafe import Markup

from edgeshrink.core.attribution import Attribution, Source
from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.report.behaviour_told import extra_text, loss_text
from edgeshrink.report.charts import svg

_ID = "sources"
_TITLE = "Where the losses come from"
_LEFT, _RIGHT = 132.0, 340.0
_ROW = 24.0
_HEAD = 28.0
_BAR = 13.0
_MOST = 6
_NAME = 17


def sources_chart(behaviour: Behaviour) -> svg.Figure:
    """A bar a group, by slice: 100 % is the whole loss."""
    attributions = behaviour.attributions
    if isinstance(attributions, Unmeasured):
        return svg.Figure(_ID, _TITLE, f"Not known: {attributions.reason}.", None)
    told = [(one, _told(one)) for one in attributions]
    told = [(one, sources) for one, sources in told if sources]
    if not told:
        return svg.Figure(_ID, _TITLE, "No group of tensors was put back.", None)
    x = _scale([reading for _, sources in told for _, reading in sources])
    bottom = sum(_HEAD + _ROW * len(sources) for _, sources in told) + 4
    parts = [svg.line(x(value), 6, x(value), bottom, "grid") for value in x.ticks(4)]
    parts.append(svg.line(x(0.0), 6, x(0.0), bottom, "one"))
    at = 0.0
    for one, sources in told:
        parts.append(svg.text(6, at + 19, f"{one.slice}, {_lost(behaviour, one)} lost", "name"))
        at += _HEAD
        for source, reading in sources:
            parts += _bar(source, reading, at, x)
            at += _ROW
    parts.append(
        svg.x_axis(x, "of the loss that comes back", _percent, wanted=4, bottom=bottom, left=_LEFT, right=_RIGHT)
    )
    said = "; ".join(f"{one.slice}: {_said(source, reading)}" for one, sources in told for source, reading in sources)
    left = [source.group for one, _ in told for source in one.sources if isinstance(source.returned, Unmeasured)]
    caption = (
        "Each bar: these tensors alone back at the precision named, all others as in the file; the line is the "
        "95 % interval. At the right: what keeping them would add to the file."
    )
    if left:
        caption += f" Not put back: {', '.join(dict.fromkeys(left))}."
    return svg.Figure(_ID, _TITLE, caption, svg.drawing(_ID, _TITLE, said, parts, height=bottom + 44))


def _lost(behaviour: Behaviour, one: Attribution) -> str:
    metric = next((slice.metric(one.metric) for slice in behaviour.slices if slice.name == one.slice), None)
    return loss_text(one.loss, metric.unit if metric is not None else "share", spread=False)


def _told(one: Attribution) -> list[tuple[Source, Measured]]:
    found = [(source, source.returned) for source in one.sources if isinstance(source.returned, Measured)]
    return found[:_MOST]


def _scale(readings: list[Measured]) -> svg.Scale:
    values = [0.0, 1.0]
    for reading in readings:
        values += [end for end in (reading.value, reading.low, reading.high) if end is not None]
    low, high = max(-1.0, min(values)), min(2.0, max(values))
    return svg.Scale(low, high * 1.02, _LEFT, _RIGHT)


def _bar(source: Source, reading: Measured, top: float, x: svg.Scale) -> list[Markup]:
    up = top + _ROW / 2
    ends = sorted((x(0.0), x.within(reading.value)))
    title = svg.element("title", _said(source, reading))
    name = source.group if len(source.group) <= _NAME else f"{source.group[: _NAME - 1]}…"
    parts = [
        svg.element("text", svg.element("title", source.group), name, x=12, y=up + 4, class_="row"),
        svg.element(
            "rect",
            title,
            x=ends[0],
            y=up - _BAR / 2,
            width=max(1.0, ends[1] - ends[0]),
            height=_BAR,
            class_="area-anon",
        ),
    ]
    if reading.low is not None and reading.high is not None:
        parts.append(svg.line(x.within(reading.low), up, x.within(reading.high), up, "whisker"))
    parts.append(svg.text(svg.RIGHT, up + 4, f"{_percent(reading.value)}, {extra_text(source)}", "label", "end"))
    return parts


def _said(source: Source, reading: Measured) -> str:
    return f"{source.group} at {source.type}: {_percent(reading.value)} comes back, {extra_text(source)}"


def _percent(share: float) -> str:
    return f"{round(100 * share):.0f} %".replace("-0 %", "0 %")
