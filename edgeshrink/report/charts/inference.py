"""A network's runs: every one that was timed, by the shapes of its inputs."""

from __future__ import annotations

from edgeshrink.core.measurement import InferencePoint, Measurements
from edgeshrink.report.charts import svg
from edgeshrink.report.charts.columns import Column, columns_drawing

_ID = "inference"
_TITLE = "Time of one run"
_ROOM = 380.0  # for the names of all columns
_CHARACTER = 7.0


def inference_chart(measurements: Measurements) -> svg.Figure:
    """Every run that was timed, with median and 95th percentile, shape by shape."""
    points = [point for point in measurements.inference if point.samples_ms]
    if not points:
        return svg.Figure(_ID, _TITLE, "No run was timed.", None)
    names = _names(points)
    caption = "A dot is one run; the line is the median, the dashed one the 95th percentile where there are enough."
    if names != [point.shapes for point in points]:
        spelled = "; ".join(f"{name}: {point.shapes}" for name, point in zip(names, points, strict=True))
        caption = f"{caption} {spelled}."
    columns = [
        Column(name, point.samples_ms, point.p50_ms, point.p95_ms) for name, point in zip(names, points, strict=True)
    ]
    return svg.Figure(_ID, _TITLE, caption, columns_drawing(_ID, _TITLE, columns, "shapes of the inputs"))


def _names(points: list[InferencePoint]) -> list[str]:
    """The shapes where they have room below the columns, else A, B, C."""
    if max(len(point.shapes) for point in points) * _CHARACTER <= _ROOM / len(points):
        return [point.shapes for point in points]
    return [chr(ord("A") + index) if index < 26 else str(index + 1) for index in range(len(points))]
