"""Curves over one time axis, one panel below the other: what went up when the other went down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from edgeshrink.report.charts import svg

_GAP = 40.0


@dataclass(frozen=True, slots=True)
class Panel:
    """One curve: (seconds, value), two points or more. `from_zero`: the scale begins at zero, so lengths compare."""

    title: str
    points: tuple[tuple[float, float], ...]
    height: float
    from_zero: bool = False
    class_: str = "curve"


def panels_drawing(id: str, title: str, said: str, panels: Sequence[Panel], x: svg.Scale, axis: str) -> Markup:
    """The panels below each other, all as wide as `x`."""
    parts: list[Markup] = []
    top = svg.TOP
    for panel in panels:
        bottom = top + panel.height
        y = _scale(panel, top, bottom)
        parts += [svg.y_axis(y, panel.title, wanted=3 if panel.height < 100 else 5, top=top)]
        parts += [svg.path([(x(at), y(value)) for at, value in panel.points], panel.class_)]
        top = bottom + _GAP
    bottom = top - _GAP
    parts.append(svg.x_axis(x, axis, bottom=bottom))
    return svg.drawing(id, title, said, parts, height=bottom + svg.HEIGHT - svg.BOTTOM)


def _scale(panel: Panel, top: float, bottom: float) -> svg.Scale:
    values = [value for _, value in panel.points]
    low, high = min(values), max(values)
    room = (high - low) * 0.1 or abs(high) * 0.05 or 1.0
    return svg.Scale(0.0 if panel.from_zero else low - room, high + room, bottom, top)
