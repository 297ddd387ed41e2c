"""A column of timed runs: every run as a dot, with median and 95th percentile across it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from edgeshrink.core.reading import Measured, Reading
from edgeshrink.report.charts import svg
from edgeshrink.report.format import number

_DOTS = 200


@dataclass(frozen=True, slots=True)
class Column:
    """What was timed under one name, in milliseconds."""

    name: str
    samples: tuple[float, ...]
    p50: Reading
    p95: Reading


def columns_drawing(id: str, title: str, columns: Sequence[Column], axis: str) -> Markup:
    """The columns side by side; `axis` says what their names are. Each column has a sample or more."""
    most = max(max(column.samples) for column in columns)
    y = svg.Scale(0, most * 1.12 or 1.0, svg.BOTTOM, svg.TOP)
    parts = [svg.y_axis(y, "milliseconds"), svg.line(svg.LEFT, svg.BOTTOM, svg.RIGHT, svg.BOTTOM, "axis")]
    slot = (svg.RIGHT - svg.LEFT) / len(columns)
    for index, column in enumerate(columns):
        parts += _drawn(column, svg.LEFT + slot * (index + 0.5), min(30.0, slot * 0.3), y)
    parts.append(svg.text((svg.LEFT + svg.RIGHT) / 2, svg.HEIGHT - 6, axis, "title", "middle"))
    said = "; ".join(f"{column.name}: {_spell(column)}" for column in columns)
    return svg.drawing(id, title, said, parts)


def _drawn(column: Column, middle: float, half: float, y: svg.Scale) -> list[Markup]:
    parts = []
    for index, sample in enumerate(_thinned(column.samples)):
        # A fixed spread over the column: the golden ratio keeps neighbours apart without chance.
        offset = ((index * 0.618034) % 1 - 0.5) * 1.3 * half
        parts.append(svg.element("circle", cx=middle + offset, cy=y(sample), r=2.6, class_="dot"))
    for reading, class_ in ((column.p50, "median"), (column.p95, "p95")):
        if isinstance(reading, Measured):
            parts.append(svg.line(middle - half, y(reading.value), middle + half, y(reading.value), class_))
    if isinstance(column.p50, Measured):
        parts.append(svg.text(middle, y(max(column.samples)) - 8, f"{number(column.p50.value)} ms", "name", "middle"))
    return [*parts, svg.text(middle, svg.BOTTOM + 18, column.name, anchor="middle")]


def _thinned(samples: Sequence[float]) -> Sequence[float]:
    """At most `_DOTS` of them, evenly by rank, the fastest and the slowest among them."""
    if len(samples) <= _DOTS:
        return samples
    ordered = sorted(samples)
    return [ordered[round(index * (len(ordered) - 1) / (_DOTS - 1))] for index in range(_DOTS)]


def _spell(column: Column) -> str:
    named = (("median", column.p50), ("p95", column.p95))
    return ", ".join(f"{name} {number(r.value)} ms" for name, r in named if isinstance(r, Measured)) or "no percentile"
