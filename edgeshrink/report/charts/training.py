"""A training run: its loss along the steps, on text it learns from and on held-out text, and what the gates said."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from edgeshrink.core.training import GateCheck, TrainingRecord
from edgeshrink.report.charts import svg
from edgeshrink.report.charts.outcome_mark import outcome_mark
from edgeshrink.report.charts.panels import Panel, panels_drawing
from edgeshrink.report.format import number

_TITLE = "Loss"
_TEXT_TITLE = "Held-out text"
_PACE_TITLE = "Pace"
_POINTS = 500
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_NOTHING = "Nothing was logged yet."

Curve = list[tuple[float, float]]


def training_charts(record: TrainingRecord, id: str = "run") -> list[svg.Figure]:
    """The loss; the held-out text where it was looked at twice; speed and learning rate. `id` tells runs apart."""
    found = [loss_chart(record, id), held_out_chart(record, id), pace_chart(record, id)]
    return [figure for at, figure in enumerate(found) if at == 0 or figure.svg is not None]


def loss_chart(record: TrainingRecord, id: str = "run") -> svg.Figure:
    """What was minimized, on the rows that were trained on and on those that were not; gate checks above."""
    id = f"{id}-loss"
    train = thinned([(point.step, point.loss) for point in record.points if math.isfinite(point.loss)])
    held = thinned([(point.step, point.objective) for point in record.held_out if math.isfinite(point.objective)])
    if len(train) < 2 and len(held) < 2:
        return svg.Figure(id, _TITLE, _NOTHING, None)
    x = _steps(record)
    y = _losses([value for _, value in (*train, *held)])
    parts = [
        svg.y_axis(y, f"nats a token{' (log)' if y.log else ''}"),
        svg.x_axis(x, "step"),
        *_checks(record.checks, x),
        svg.path(_placed(train, x, y), "curve thin") if len(train) > 1 else Markup(""),
        svg.path(_placed(held, x, y), "curve warm") if len(held) > 1 else Markup(""),
        *(svg.element("circle", cx=at, cy=up, r=3.5, class_="mark second") for at, up in _placed(held, x, y)),
        *_names(_placed(train, x, y), _placed(held, x, y)),
    ]
    said = [f"{name} {number(points[0][1])} to {number(points[-1][1])}"
            for name, points in (("train", train), ("held out", held)) if points]  # fmt: skip
    said += [f"gates at step {check.step}: {check.outcome}" for check in record.checks]
    caption = "Thin: the text that is learned from; with points: text held out."
    if record.checks:
        caption += " Above: the suite looked at the student there; a triangle failed its gates, a disc held them."
    return svg.Figure(id, _TITLE, caption, svg.drawing(id, _TITLE, "; ".join(said), parts))


def held_out_chart(record: TrainingRecord, id: str = "run") -> svg.Figure:
    """How well held-out text itself is predicted: bits per byte where the bytes are known, else nats a token."""
    id = f"{id}-text"
    bits = [(float(point.step), point.bits_per_byte) for point in record.held_out if point.bits_per_byte is not None]
    known = len(bits) == len(record.held_out)
    points = bits if known else [(float(point.step), point.cross_entropy) for point in record.held_out]
    points = [(step, value) for step, value in points if math.isfinite(value)]
    if len(points) < 2:
        return svg.Figure(id, _TEXT_TITLE, _NOTHING, None)
    unit = "bits per byte" if known else "nats a token"
    x, y = _steps(record), _losses([value for _, value in points])
    places = _placed(thinned(points), x, y)
    parts = [
        svg.y_axis(y, f"{unit}{' (log)' if y.log else ''}"),
        svg.x_axis(x, "step"),
        svg.path(places, "curve warm"),
        *(svg.element("circle", cx=at, cy=up, r=3.5, class_="mark second") for at, up in places),
    ]
    said = f"{number(points[0][1])} to {number(points[-1][1])} {unit}"
    caption = f"Cross-entropy of held-out text, {unit}: from {number(points[0][1])} to {number(points[-1][1])}."
    return svg.Figure(id, _TEXT_TITLE, caption, svg.drawing(id, _TEXT_TITLE, said, parts))


def pace_chart(record: TrainingRecord, id: str = "run") -> svg.Figure:
    """Tokens a second, and the learning rate below it."""
    id = f"{id}-pace"
    points = [point for point in record.points if math.isfinite(point.tokens_s) and math.isfinite(point.rate)]
    if len(points) < 2:
        return svg.Figure(id, _PACE_TITLE, _NOTHING, None)
    speed = tuple(thinned([(float(point.step), point.tokens_s) for point in points]))
    power = math.floor(math.log10(max(max(point.rate for point in points), 1e-12)))
    rate = tuple(thinned([(float(point.step), point.rate / 10.0**power) for point in points]))
    panels = (
        Panel("tokens a second", speed, 90.0, from_zero=True),
        Panel(f"learning rate × 10{str(-power).translate(_RAISED)}", rate, 70.0, from_zero=True, class_="curve warm"),
    )
    said = f"{number(record.tokens_s)} tokens a second"
    drawn = panels_drawing(id, _PACE_TITLE, said, panels, _steps(record), "step")
    return svg.Figure(id, _PACE_TITLE, f"{number(record.tokens_s)} tokens a second over the whole run.", drawn)


def thinned(points: Sequence[tuple[float, float]]) -> Curve:
    """At most `_POINTS`: of each stretch the one that stands furthest from the stretch's middle, so that no spike is
    lost; the first and the last stay."""
    if len(points) <= _POINTS:
        return list(points)
    size = -(-len(points) // _POINTS)
    kept = {points[0], points[-1]}
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        middle = sum(value for _, value in stretch) / len(stretch)
        kept.add(max(stretch, key=lambda point: abs(point[1] - middle)))
    return sorted(kept)


def _steps(record: TrainingRecord) -> svg.Scale:
    last = max([record.steps, *(point.step for point in record.points), *(point.step for point in record.held_out)])
    end = max(last, record.planned_steps if not record.stopped else last, 1)
    return svg.Scale(0.0, float(end), svg.LEFT, svg.RIGHT)


def _losses(values: Sequence[float]) -> svg.Scale:
    low, high = min(values), max(values)
    if low > 0 and high > 4 * low:
        return svg.Scale(low / 1.8, high * 1.2, svg.BOTTOM, svg.TOP + 18, log=True)
    room = (high - low) * 0.08 or abs(high) * 0.05 or 1.0
    return svg.Scale(low - 2 * room, high + room, svg.BOTTOM, svg.TOP + 18)


def _placed(points: Sequence[tuple[float, float]], x: svg.Scale, y: svg.Scale) -> Curve:
    return [(x(step), y(value)) for step, value in points]


def _names(train: Curve, held: Curve) -> list[Markup]:
    """At the end of each curve, the upper one's name above it and the lower one's below."""
    ends = [(points[-1], name) for points, name in ((train, "learned from"), (held, "held out")) if points]
    ends.sort(key=lambda end: end[0][1])
    return [
        svg.text(min(at, svg.RIGHT), min(up + (-11 if index == 0 else 19), svg.BOTTOM - 4), name, "name", "end")
        for index, ((at, up), name) in enumerate(ends)
    ]


def _checks(checks: Sequence[GateCheck], x: svg.Scale) -> list[Markup]:
    parts = []
    for check in checks:
        at = x.within(check.step)
        parts.append(svg.line(at, svg.TOP + 8, at, svg.BOTTOM, "phase"))
        title = svg.element("title", f"step {check.step}: {check.outcome}, {check.worst}")
        parts.append(outcome_mark(check.outcome, at, svg.TOP + 4, title))
    return parts
