"""Prediction against measurement: how many times too high or too low each predicted figure was."""

from __future__ import annotations

from edgeshrink.report.charts import svg
from edgeshrink.report.format import error_text, human
from edgeshrink.report.predicted import Predicted

_ID = "prediction"
_TITLE = "Prediction against measurement"
_ROW = 46.0
_SIDE = 74.0  # room for the error beside the outermost point


def prediction_chart(rows: tuple[Predicted, ...]) -> svg.Figure:
    """One row a figure: its point is predicted / measured on a logarithmic axis, so twice and half are as far off."""
    rows = tuple(row for row in rows if row.predicted.value > 0 and row.measured.value > 0)
    if not rows:
        return svg.Figure(_ID, _TITLE, "No figure was both predicted and measured.", None)
    worst = max(1.5, *(max(ratio, 1 / ratio) for ratio in map(_ratio, rows)))
    x = svg.Scale(1 / worst, worst, _SIDE, svg.WIDTH - _SIDE, log=True)
    bottom = 10 + _ROW * len(rows)
    parts = []
    for value in _ticks(worst):
        parts.append(svg.line(x(value), 4.0 if value == 1 else bottom - 5, x(value), bottom, "one"))
        spelled = "as measured" if value == 1 else f"{value:.3g}×"
        parts.append(svg.text(x(value), bottom + 16, spelled, anchor="middle"))
    for index, row in enumerate(rows):
        base = 18 + _ROW * index
        up = base + 18
        parts += [
            svg.text(6, base, row.label, "name"),
            svg.text(
                svg.RIGHT,
                base,
                f"{human(row.predicted.value, row.unit)} / {human(row.measured.value, row.unit)}",
                "label",
                "end",
            ),
            svg.line(x(1), up, x(_ratio(row)), up, "stem"),
            svg.element("circle", cx=x(_ratio(row)), cy=up, r=5, class_="mark data"),
        ]
        high = _ratio(row) >= 1
        parts.append(
            svg.text(
                x(_ratio(row)) + (10 if high else -10),
                up + 4,
                error_text(row.error),
                "label",
                "start" if high else "end",
            )
        )
    said = "; ".join(f"{row.label}: {error_text(row.error)}" for row in rows)
    caption = "At the right: predicted / measured. Left of the line the prediction was too low, right of it too high."
    return svg.Figure(_ID, _TITLE, caption, svg.drawing(_ID, _TITLE, said, parts, height=bottom + 26))


def _ratio(row: Predicted) -> float:
    return row.predicted.value / row.measured.value


def _ticks(worst: float) -> tuple[float, ...]:
    steps = next(
        steps
        for limit, steps in ((2.0, (1.5,)), (4.0, (2.0,)), (12.0, (2.0, 5.0)), (1e308, (10.0, 100.0)))
        if worst <= limit
    )
    kept = [step for step in steps if step <= worst]
    return (*(1 / step for step in reversed(kept)), 1.0, *kept)
