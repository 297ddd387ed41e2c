"""A forest plot: one row a figure, its loss as a point with its intervals, and what its gate allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from edgeshrink.core.verdict import Outcome
from edgeshrink.report.charts import svg
from edgeshrink.report.charts.outcome_mark import outcome_mark

_LEFT, _RIGHT = 150.0, 396.0  # names stand left of the frame, values right of it
_ROW = 21.0
_HEAD = 23.0
_NAME = 21  # characters that have room left of the frame


@dataclass(frozen=True, slots=True)
class ForestRow:
    """`interval` is of 95 %, `bounds` what the gate is judged by, `limits` what the gates allow; all on one scale."""

    name: str
    value: float
    spelled: str
    interval: tuple[float, float] | None = None
    bounds: tuple[float, float] | None = None
    limits: tuple[float, ...] = ()
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class ForestGroup:
    """Rows below one heading; without a `title` they stand alone."""

    title: str
    rows: tuple[ForestRow, ...]


@dataclass(frozen=True, slots=True)
class ForestAxis:
    """`zero` names the line at 0; `spell` the ticks. `floor`: nothing can lie below it."""

    title: str
    zero: str = ""
    spell: Callable[[float], str] = svg.tick_text
    floor: float | None = None


def forest_drawing(id: str, title: str, groups: Sequence[ForestGroup], axis: ForestAxis) -> Markup:
    """At least one row. Ends that lie outside the frame, or are not finite, are cut off at it."""
    rows = [row for group in groups for row in group.rows]
    x = _scale(rows, axis)
    top = 22.0 if axis.zero else 8.0
    bottom = top + sum(_HEAD * bool(group.title) + _ROW * len(group.rows) for group in groups) + 4
    parts = [svg.line(x(value), top, x(value), bottom, "grid") for value in x.ticks()]
    parts.append(svg.line(x(0.0), top, x(0.0), bottom, "one"))
    if axis.zero:
        parts.append(svg.text(x(0.0), top - 6, axis.zero, "label", "middle"))
    at = top
    for group in groups:
        if group.title:
            parts.append(svg.text(6, at + 16, _short(group.title, 60), "name"))
            at += _HEAD
        for row in group.rows:
            parts += _row(row, at + _ROW / 2, x, indent=6.0 if not group.title else 16.0)
            at += _ROW
    parts.append(svg.x_axis(x, axis.title, axis.spell, bottom=bottom, left=_LEFT, right=_RIGHT))
    said = "; ".join(_said(row) for row in rows)
    return svg.drawing(id, title, said, parts, height=bottom + 44)


def _scale(rows: Iterable[ForestRow], axis: ForestAxis) -> svg.Scale:
    values = [0.0]
    for row in rows:
        ends = (row.value, *(row.interval or ()), *(row.bounds or ()), *row.limits)
        values += [value for value in ends if math.isfinite(value)]
    low, high = min(values), max(values)
    if axis.floor is not None:
        low = max(low, axis.floor)
    room = (high - low) * 0.04 or 1.0
    return svg.Scale(low - (room if low < 0 else 0), high + room, _LEFT, _RIGHT)


def _row(row: ForestRow, up: float, x: svg.Scale, *, indent: float) -> list[Markup]:
    parts = [_name(row, indent, up), svg.text(svg.RIGHT + 8, up + 4, row.spelled, "label", "end")]
    for limit in dict.fromkeys(row.limits):
        if x.low <= limit <= x.high:
            parts.append(svg.line(x(limit), up - _ROW / 2, x(limit), up + _ROW / 2, "limit"))
    if row.bounds is not None:
        parts.append(svg.line(x.within(row.bounds[0]), up, x.within(row.bounds[1]), up, "whisker"))
    if row.interval is not None:
        parts.append(svg.line(x.within(row.interval[0]), up, x.within(row.interval[1]), up, "interval"))
    title = svg.element("title", _said(row))
    parts.append(outcome_mark(row.outcome, x.within(row.value), up, title, size=5.0))
    return parts


def _name(row: ForestRow, indent: float, up: float) -> Markup:
    title = svg.element("title", row.name)
    name = _short(row.name, _NAME)
    return svg.element("text", title, name, x=indent, y=up + 4, class_="row", text_anchor="start")


def _said(row: ForestRow) -> str:
    return f"{row.name}: {row.spelled}{f', {row.outcome}' if row.outcome else ''}"


def _short(name: str, most: int) -> str:
    """The end of a long name tells it apart no less than its beginning."""
    return name if len(name) <= most else f"{name[: most - 9]}…{name[-8:]}"
