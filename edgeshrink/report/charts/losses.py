"""What each slice lost, beside what its gate allows: shares, distances, and whatever has another unit, each apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgeshrink.core.behaviour import Part, Slice
from edgeshrink.core.reading import Measured
from edgeshrink.report.behaviour_rows import SliceRow, finite_ends
from edgeshrink.report.behaviour_told import loss_text
from edgeshrink.report.charts import svg
from edgeshrink.report.charts.forest import ForestAxis, ForestGroup, ForestRow, forest_drawing

_HOW = (
    "A triangle fails its gate, a hollow point could be noise, a disc holds it. The thick line is the 95 % interval, "
    "the thin one what the gate is judged by; the dashed red line is what the gate allows."
)


def loss_charts(rows: Sequence[SliceRow]) -> list[svg.Figure]:
    """One figure a unit, in the order in which units first come; the shares first."""
    measured = [row for row in rows if row.loss is not None]
    units = dict.fromkeys(sorted((row.metric.unit for row in measured), key=lambda unit: unit != "share"))
    figures = [
        _of_unit(index, unit, [r for r in measured if r.metric.unit == unit]) for index, unit in enumerate(units)
    ]
    return figures or [svg.Figure("losses-0", "What each slice lost", "No slice could be measured.", None)]


def parts_chart(one: Slice) -> svg.Figure | None:
    """The parts of one slice below each other; None where it has none that were measured."""
    parts = [(part, part.metric.loss) for part in one.parts if isinstance(part.metric.loss, Measured)]
    if len(parts) < 2:
        return None
    id = f"parts-{one.name.replace('/', '-')}"
    title = f"{one.name}, part by part"
    rows = tuple(_part(part, loss) for part, loss in parts)
    unit = parts[0][0].metric.unit
    axis = ForestAxis(_axis(unit, distance=False), "no loss", _ticks(unit))
    said = f"“{parts[0][0].metric.name}” of each part, against the reference on the same items, with a 95 % interval."
    return svg.Figure(id, title, said, forest_drawing(id, title, (ForestGroup("", rows),), axis))


def _of_unit(index: int, unit: str, rows: Sequence[SliceRow]) -> svg.Figure:
    distance = all(row.distance for row in rows)
    title = "How far the text is from the reference" if distance else "What each slice lost"
    if unit not in ("share", "nats"):
        title = f"{title}, in {unit or 'its own unit'}"
    groups = _groups(rows)
    axis = ForestAxis(
        _axis(unit, distance=distance),
        "" if distance else "no loss",
        _ticks(unit),
        floor=0.0 if distance and unit == "nats" and all(_value(row) >= 0 for row in rows) else None,
    )
    words = "0 is equal to the reference." if distance else "Left of the line the file does better than the reference."
    caption = f"{words} {_HOW}" if any(row.gates for row in rows) else f"{words} The line is the 95 % interval."
    id = f"losses-{index}"
    return svg.Figure(id, title, caption, forest_drawing(id, title, groups, axis))


def _groups(rows: Sequence[SliceRow]) -> tuple[ForestGroup, ...]:
    """Families of several rows below their name; what stands alone keeps its whole name, in its place."""
    families = dict.fromkeys(row.slice.family for row in rows)
    groups = []
    for family in families:
        members = [row for row in rows if row.slice.family == family]
        alone = len(members) == 1
        groups.append(ForestGroup("" if alone else family, tuple(_row(row, alone=alone) for row in members)))
    return tuple(groups)


def _row(row: SliceRow, *, alone: bool) -> ForestRow:
    assert row.loss is not None
    name = row.slice.name if alone else row.slice.name.partition("/")[2] or row.slice.name
    if row.metric is not row.slice.metrics[0]:
        name = f"· {row.metric.name}"
    unit = row.metric.unit
    return ForestRow(
        name=name,
        value=row.loss.value,
        spelled=_spelled(row.loss, unit),
        interval=finite_ends(row.loss),
        bounds=row.metric.bounds if row.gates else None,
        limits=row.limits,
        outcome=row.outcome,
    )


def _part(part: Part, loss: Measured) -> ForestRow:
    return ForestRow(part.name, loss.value, _spelled(loss, part.metric.unit), finite_ends(loss))


def _spelled(loss: Measured, unit: str) -> str:
    return loss_text(loss, unit, spread=False, named=False).removesuffix(f" {unit}")


def _value(row: SliceRow) -> float:
    return 0.0 if row.loss is None else row.loss.value


def _axis(unit: str, *, distance: bool) -> str:
    if distance:
        return f"{unit or 'distance'} to the reference"
    return "points lost against the reference" if unit == "share" else f"lost, {unit}" if unit else "lost"


def _ticks(unit: str) -> Callable[[float], str]:
    return _percent if unit == "share" else svg.tick_text


def _percent(value: float) -> str:
    return svg.tick_text(100 * value)
