"""What each step bought: every row of the table of steps by the size of its file and its distance to the source."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from edgeshrink.core.reading import Measured
from edgeshrink.core.shrinking import Shrinkage, ShrinkRung
from edgeshrink.report.charts import svg
from edgeshrink.report.charts.outcome_mark import outcome_mark
from edgeshrink.report.format import human_bytes, number
from edgeshrink.report.shrink_told import kept_mark, shipped_rung

_ID = "bought"
_TITLE = "What each step bought"
_MIB = 1024.0 * 1024.0


def bought_chart(shrinkage: Shrinkage) -> svg.Figure:
    """Points by their number in the table; what was kept is a disc, what was refused hollow, what ships ringed."""
    numbered = list(enumerate(shrinkage.rungs, 1))
    points = [(index, rung, rung.mean_kl) for index, rung in numbered if isinstance(rung.mean_kl, Measured)]
    if not points:
        return svg.Figure(_ID, _TITLE, "No step's distance to the source was measured.", None)
    x = _sizes([rung.artifact_bytes / _MIB for _, rung, _ in points])
    y = _distances([reading for _, _, reading in points])
    chosen = shipped_rung(shrinkage)
    parts = [
        svg.y_axis(y, f"mean KL to the source, nats per token{' (log)' if y.log else ''}"),
        svg.x_axis(x, f"file size, MiB{' (log)' if x.log else ''}"),
    ]
    taken: list[tuple[float, float]] = []
    for index, rung, reading in points:
        parts += _point(index, rung, reading, x, y, taken, ships=index - 1 == chosen)
    said = "; ".join(f"{index} {_words(rung, reading)}" for index, rung, reading in points)
    caption = "Numbers are those of the table. Lower and further left is better; a hollow point was refused."
    return svg.Figure(_ID, _TITLE, caption, svg.drawing(_ID, _TITLE, said, parts))


def _words(rung: ShrinkRung, reading: Measured) -> str:
    size = human_bytes(rung.artifact_bytes)
    return f"{rung.title} {rung.scheme}: {size}, mean KL {number(reading.value)}, {kept_mark(rung.kept)}"


def _sizes(sizes: Sequence[float]) -> svg.Scale:
    low, high = min(sizes), max(sizes)
    if high > 2 * low > 0:
        return svg.Scale(low / 1.15, high * 1.15, svg.LEFT, svg.RIGHT, log=True)
    room = max(high - low, high * 0.1) * 0.12
    return svg.Scale(max(0.0, low - room), high + room, svg.LEFT, svg.RIGHT)


def _distances(readings: Sequence[Measured]) -> svg.Scale:
    values = [value for r in readings for value in (r.value, r.low, r.high) if value is not None]
    if min(values) > 0 and max(values) > 4 * min(values):
        return svg.Scale(min(values) / 1.6, max(values) * 1.6, svg.BOTTOM, svg.TOP, log=True)
    return svg.Scale(min(0.0, *values), (max(values) or 1.0) * 1.15, svg.BOTTOM, svg.TOP)


def _point(
    index: int,
    rung: ShrinkRung,
    reading: Measured,
    x: svg.Scale,
    y: svg.Scale,
    taken: list[tuple[float, float]],
    *,
    ships: bool,
) -> list[Markup]:
    at, up = x(rung.artifact_bytes / _MIB), y(reading.value)
    parts = []
    if reading.low is not None and reading.high is not None:
        parts.append(svg.line(at, y(reading.low), at, y(reading.high), "whisker"))
    if ships:
        parts.append(svg.element("circle", cx=at, cy=up, r=10, class_="ring"))
    parts.append(outcome_mark("PASS" if rung.kept else "UNKNOWN", at, up, svg.element("title", _words(rung, reading))))
    right = at > svg.RIGHT - 60
    label = up + 4
    while any(abs(label - other) < 13 and abs(at - beside) < 40 for beside, other in taken):
        label -= 13
    taken.append((at, label))
    parts.append(svg.text(at - 15 if right else at + 15, label, f"{index}", "name", "end" if right else "start"))
    return parts
