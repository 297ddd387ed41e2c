"""The live page of a training run: its curves so far, how fast it goes and how long it will take."""

from __future__ import annotations

from statistics import median

from edgeshrink import __version__
from edgeshrink.core.training import TrainingRecord
from edgeshrink.report import charts
from edgeshrink.report.format import duration, number, rough_duration
from edgeshrink.report.page import page
from edgeshrink.report.shrink_page import check_lines, source_lines
from edgeshrink.report.shrink_told import training_facts

REFRESH_S = 15
_RECENT = 5

Tile = tuple[str, str, str]


def training_html(record: TrainingRecord, *, running: bool) -> str:
    """One file, no script; while `running` it loads itself again every few seconds. Equal records give equal text."""
    return page(
        "training.html.j2",
        version=__version__,
        running=running,
        refresh_s=REFRESH_S,
        headline=_headline(record, running=running),
        summary=_summary(record, running=running),
        percent=percent_done(record),
        tiles=_tiles(record, running=running),
        figures=charts.training_charts(record),
        checks=check_lines(record),
        sources=source_lines(record),
        facts=tuple(training_facts(record)),
        notes=record.notes,
    )


def percent_done(record: TrainingRecord) -> int:
    """Of the steps that were planned; a run that ended early did all that it had to."""
    if record.stopped or not record.planned_steps:
        return 100 if record.stopped else 0
    return min(100, round(100 * record.steps / record.planned_steps))


def seconds_left(record: TrainingRecord) -> float | None:
    """By the median speed of the last points; None where that is not known yet."""
    speeds = [point.tokens_s for point in record.points[-_RECENT:] if point.tokens_s > 0]
    left = record.planned_steps - record.steps
    if not speeds or not record.steps or record.stopped or left < 0:
        return None
    return left * record.tokens / record.steps / median(speeds)


def _headline(record: TrainingRecord, *, running: bool) -> str:
    if not running:
        return f"Trained for {record.steps:,} steps"
    if not record.steps:
        return "Training begins"
    return f"Step {record.steps:,}" + (f" of {record.planned_steps:,}" if record.planned_steps else "")


def _summary(record: TrainingRecord, *, running: bool) -> str:
    if not running:
        return f"Ended: {record.stopped or 'all steps were done'}. It took {duration(record.seconds)}."
    left = seconds_left(record)
    if left is None:
        return f"Running for {duration(record.seconds)}; how long it will take is not known yet."
    return f"Running for {duration(record.seconds)}, about {rough_duration(left)} left."


def _tiles(record: TrainingRecord, *, running: bool) -> list[Tile]:
    tiles: list[Tile] = []
    if record.points:
        tiles.append(("Loss", number(record.points[-1].loss), "nats a token, on the text it learns from"))
    if record.held_out:
        last = record.held_out[-1]
        tiles.append(("Held-out loss", number(last.objective), f"at step {last.step:,}"))
        if last.bits_per_byte is not None:
            tiles.append(("Held-out text", f"{number(last.bits_per_byte)} bits per byte", ""))
    tiles.append(
        ("Speed", f"{number(record.tokens_s)} tokens/s", f"{record.tokens:,} tokens{' so far' if running else ''}")
    )
    left = seconds_left(record) if running else None
    if left is not None:
        tiles.append(("Time left", rough_duration(left), "at the speed of the last points"))
    if record.checks:
        check = record.checks[-1]
        tiles.append(("Gates", check.outcome, f"at step {check.step:,}{f': {check.worst}' if check.worst else ''}"))
    return tiles
