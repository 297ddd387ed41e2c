"""A long decode: speed over time, and below it temperature and clock, where the device shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from edgeshrink.core.measurement import Sustained, SustainedPoint
from edgeshrink.report.charts import svg
from edgeshrink.report.charts.panels import Panel, panels_drawing
from edgeshrink.report.session_told import slowdown_name, sustained_text, throttling_text

_ID = "sustained"
_TITLE = "A long decode"
_POINTS = 240


def sustained_chart(sustained: Sustained) -> svg.Figure:
    """Speed from zero up; a panel each for temperature and clock."""
    points = sustained.points
    if len(points) < 2 or points[-1].at_s <= points[0].at_s:
        return svg.Figure(_ID, _TITLE, "The long decode was too short to be drawn.", None)
    panels = [Panel("tokens per second", _curve(points, lambda point: point.tok_s), 130.0, from_zero=True)]
    shown: tuple[tuple[str, Callable[[SustainedPoint], float | None], str], ...] = (
        ("temperature, °C", lambda point: point.temperature_c, "warm"),
        ("clock, MHz", lambda point: point.frequency_mhz, "clock"),
    )
    for title, read, class_ in shown:
        curve = _curve(points, read)
        if len(curve) > 1:
            panels.append(Panel(title, curve, 72.0, class_=class_))
    x = svg.Scale(0.0, points[-1].at_s, svg.LEFT, svg.RIGHT)
    name = f"{slowdown_name(sustained).lower()}: " if sustained.throttling else ""
    said = f"{sustained_text(sustained)}; {name}{throttling_text(sustained)}"
    caption = f"{said[:1].upper()}{said[1:].rstrip('.')}."
    return svg.Figure(_ID, _TITLE, caption, panels_drawing(_ID, _TITLE, said, panels, x, "seconds of decode"))


def _curve(
    points: Sequence[SustainedPoint], read: Callable[[SustainedPoint], float | None]
) -> tuple[tuple[float, float], ...]:
    """At most `_POINTS` means over equal stretches; moments at which nothing was shown are left out."""
    size = -(-len(points) // _POINTS)
    found = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        values = [value for point in stretch if (value := read(point)) is not None]
        if values:
            found.append((stretch[-1].at_s, fmean(values)))
    return tuple(found)
