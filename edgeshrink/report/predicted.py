"""Prediction beside measurement: which figures of a report have both, and how far off the prediction was."""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.core.reading import Estimate, Measured, Prediction, Reading
from edgeshrink.core.report import Report
from edgeshrink.core.verdict import VerdictLine
from edgeshrink.report.format import error_percent, line_label
from edgeshrink.report.session_told import warnings
from edgeshrink.report.told import export_peak


@dataclass(frozen=True, slots=True)
class Predicted:
    """One figure that was predicted and then measured. `error` is in percent of the measurement."""

    label: str
    unit: str
    predicted: Estimate
    measured: Measured
    error: float


def line_of(report: Report, reading: Reading | None) -> VerdictLine | None:
    """The verdict's line that judges `reading`, whatever its name.

    None for what was not measured, and where the budget has no such line.
    """
    if not isinstance(reading, Measured):
        return None
    return next((line for line in report.verdict.lines if line.reading == reading), None)


def line_error(report: Report, line: VerdictLine) -> float | None:
    """How far off a line's prediction was, in percent of the measurement.

    None without both, and where the prediction is of another device than the measurement (`--judge-anyway` has both).
    """
    timed, of_device = line.unit in ("tok/s", "ms", "mJ"), line.name in ("peak RAM", "fits RAM")
    if ((timed or of_device) and not report.on_device) or (timed and warnings(report)):
        return None
    return error_percent(line.prediction, line.reading)


def size_line(report: Report) -> VerdictLine | None:
    """The verdict's line on the artifact's size."""
    size = float(report.artifact.nbytes)
    for line in report.verdict.lines:
        if line.unit == "bytes" and isinstance(line.reading, Measured) and line.reading.value == size:
            return line
    return None


def predicted_and_measured(report: Report) -> tuple[Predicted, ...]:
    """Every budget line with both figures, then size, RAM and decode speed where the budget has no such line.

    Speed and RAM that are predicted of one device are never compared with what another one showed, nor is speed with
    that of an emulated one.
    """
    found: list[tuple[str, str, Prediction | None, Reading]] = [
        (line.name, line.unit, line.prediction, line.reading)
        for line in report.verdict.lines
        if line_error(report, line) is not None
    ]
    found += _without_limit(report)
    rows = []
    for name, unit, prediction, reading in found:
        error = error_percent(prediction, reading)
        if error is not None and isinstance(prediction, Estimate) and isinstance(reading, Measured):
            rows.append(Predicted(line_label(name), unit, prediction, reading, error))
    return tuple(rows)


def _without_limit(report: Report) -> list[tuple[str, str, Prediction | None, Reading]]:
    """What is predicted of every file and was measured, where no line of the budget has it."""
    predictions, measurements = report.predictions, report.measurements
    rows: list[tuple[str, str, Prediction | None, Reading]] = []
    if predictions is not None and size_line(report) is None:
        size = Measured(float(report.artifact.nbytes), how="size of the finished file")
        rows.append(("artifact size", "bytes", predictions.artifact_bytes, size))
    if predictions is not None and measurements is not None and report.on_device:
        peak, speed = measurements.memory.peak_rss_bytes, measurements.decode_tok_s
        if line_of(report, peak) is None:
            rows.append(("peak RAM", "bytes", predictions.peak_rss_bytes, peak))
        if line_of(report, speed) is None and not warnings(report):
            rows.append(("decode speed", "tok/s", predictions.decode_tok_s, speed))
    exporting = export_peak(report)
    if predictions is not None and exporting is not None:
        rows.append(("RAM of the export", "bytes", predictions.host_ram_bytes, exporting))
    return rows
