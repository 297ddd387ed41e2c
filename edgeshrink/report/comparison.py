"""Prediction beside measurement: which figures of a report have both, and how far off the prediction was."""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.core.reading import Estimate, Measured, Prediction, Reading
from edgeshrink.core.report import Report
from edgeshrink.core.verdict import VerdictLine
from edgeshrink.report.format import error_percent, line_label

# Names that the judge gives to the budget's lines.
SIZE = "artifact size"
RAM = "peak RAM"
SPEED = "decode speed"
MEAN_KL = "mean KL to the reference"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure that was predicted and then measured. `error` is in percent of the measurement."""

    label: str
    unit: str
    predicted: Estimate
    measured: Measured
    error: float


def find_line(report: Report, name: str) -> VerdictLine | None:
    """The verdict's line of that name, if the budget has one."""
    return next((line for line in report.verdict.lines if line.name == name), None)


def comparisons(report: Report) -> tuple[Comparison, ...]:
    """Every budget line with both figures, then size, RAM and decode speed where the budget has no such line.

    Speeds and RAM of another device than this host are never compared with what this host measured.
    """
    found: list[tuple[str, str, Prediction | None, Reading]] = [
        (line.name, line.unit, line.prediction, line.reading) for line in report.verdict.lines
    ]
    named = {name for name, *_ in found}
    found += [row for row in _without_limit(report) if row[0] not in named]
    rows = []
    for name, unit, prediction, reading in found:
        error = error_percent(prediction, reading)
        if error is not None and isinstance(prediction, Estimate) and isinstance(reading, Measured):
            rows.append(Comparison(line_label(name), unit, prediction, reading, error))
    return tuple(rows)


def _without_limit(report: Report) -> list[tuple[str, str, Prediction | None, Reading]]:
    predictions, measurements = report.predictions, report.measurements
    if predictions is None:
        return []
    size = Measured(float(report.artifact.nbytes), how="size of the file")
    rows: list[tuple[str, str, Prediction | None, Reading]] = [(SIZE, "bytes", predictions.artifact_bytes, size)]
    if measurements is not None and report.runs_on_this_host:
        rows.append((RAM, "bytes", predictions.peak_rss_bytes, measurements.memory.peak_rss_bytes))
        rows.append((SPEED, "tok/s", predictions.decode_tok_s, measurements.decode_tok_s))
    return rows
