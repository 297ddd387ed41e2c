"""Failures of a student beside its teacher's, slice by slice: what it inherited, what it lost, what is new."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from edgeshrink.core.shrinking import SliceFailures
from edgeshrink.report.charts import svg
from edgeshrink.report.shrink_told import most_lost

_TITLE = "Failures beside the teacher's"
_LEFT, _RIGHT = 170.0, 440.0
_ROW = 24.0
_MOST = 20
_NAME = 24


def failures_chart(failures: Sequence[SliceFailures], id: str = "failures") -> svg.Figure:
    """Left of the middle what only the student can do, right of it what both fail, and then what was lost; in percent
    of the slice's items."""
    shown = most_lost(failures)[:_MOST]
    if not shown:
        return svg.Figure(id, _TITLE, "No item of the suite was failed by either of them.", None)
    worst = max((one.inherited + one.lost) / max(one.items, 1) for one in shown)
    best = max(one.new / max(one.items, 1) for one in shown)
    x = svg.Scale(-100 * best * 1.05, 100 * max(worst, 0.02) * 1.05, _LEFT, _RIGHT)
    parts: list[Markup] = []
    up = svg.TOP
    for one in shown:
        parts += _row(one, up, x)
        up += _ROW
    parts.append(svg.line(x(0), svg.TOP - 4, x(0), up, "one"))
    parts.append(svg.x_axis(x, "percent of the slice's items", _percent, bottom=up, left=_LEFT, right=_RIGHT))
    said = "; ".join(f"{one.slice}: {one.inherited} inherited, {one.lost} lost, {one.new} new" for one in shown)
    caption = (
        "Left of the line, pale blue: only the student can do it. Right of it, grey: both fail it; then, red and "
        "outlined: only the teacher can do it."
    )
    return svg.Figure(id, _TITLE, caption, svg.drawing(id, _TITLE, said, parts, height=up + 44))


def _row(one: SliceFailures, up: float, x: svg.Scale) -> list[Markup]:
    scale = 100 / max(one.items, 1)
    said = f"{one.slice}: of {one.items} items {one.inherited} inherited, {one.lost} lost, {one.new} new"
    name = one.slice if len(one.slice) <= _NAME else f"{one.slice[: _NAME - 9]}…{one.slice[-8:]}"
    parts = [svg.element("text", svg.element("title", one.slice), name, x=6, y=up + 12, class_="row")]
    both, lost = scale * one.inherited, scale * one.lost
    for low, high, class_ in ((-scale * one.new, 0.0, "new"), (0.0, both, "inherited"), (both, both + lost, "lost")):
        if high > low:
            bar = svg.element("title", said)
            width, height = x(high) - x(low), _ROW - 10
            parts.append(
                svg.element("rect", bar, x=x(low), y=up + 1, width=width, height=height, class_=f"bar {class_}")
            )
    return parts


def _percent(value: float) -> str:
    return svg.tick_text(abs(value))
