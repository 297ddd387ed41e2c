"""What a page says of making a model smaller: the table of steps, each with its cut, its run and its losses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgeshrink.core.reading import Reading
from edgeshrink.core.shrinking import Shrinkage, ShrinkRung, ShrinkStep
from edgeshrink.core.training import TrainingRecord
from edgeshrink.core.verdict import Outcome
from edgeshrink.report import charts
from edgeshrink.report.format import DASH, duration, human, number, plain
from edgeshrink.report.shrink_told import (
    command_text,
    count_text,
    failures_text,
    fits_text,
    kept_mark,
    kept_text,
    most_lost,
    pruning_warnings,
    shipped_rung,
    step_facts,
    unlicensed_text,
)


@dataclass(frozen=True, slots=True)
class RungLine:
    """One row of the table of steps, spelled."""

    number: int
    title: str
    scheme: str
    parameters: str
    nbytes: int
    cost: str
    mean_kl: Reading
    failed: str
    score: str
    fits: str
    kept: bool
    mark: str
    why: str
    ships: bool


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One look of the suite at a student in the making."""

    step: int
    outcome: Outcome
    mean_kl: str
    worst: str
    failed: str


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One text that was trained on."""

    name: str
    documents: int
    tokens: int
    license: str
    sha256: str


@dataclass(frozen=True, slots=True)
class FailureLine:
    """One slice, in items."""

    slice: str
    items: int
    inherited: int
    lost: int
    new: int


@dataclass(frozen=True, slots=True)
class StepPage:
    """All of one step. `kept` None: nobody judged it."""

    id: str
    title: str
    size: str
    kept: bool | None
    mark: str
    why: str
    warnings: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    digests: tuple[tuple[str, str], ...]
    considered: tuple[tuple[str, str, str], ...]
    stages: tuple[RungLine, ...]
    figures: tuple[charts.Figure, ...]
    checks: tuple[CheckLine, ...]
    sources: tuple[SourceLine, ...]
    told_failures: str
    failures: tuple[FailureLine, ...]
    notes: tuple[str, ...]
    command: str


@dataclass(frozen=True, slots=True)
class ShrinkagePage:
    """The whole section."""

    refusal: str
    nearest: str
    rungs: tuple[RungLine, ...]
    chart: charts.Figure
    steps: tuple[StepPage, ...]


def shrinkage_page(shrinkage: Shrinkage) -> ShrinkagePage:
    ships = shipped_rung(shrinkage)
    return ShrinkagePage(
        refusal=plain(shrinkage.refusal),
        nearest=plain(shrinkage.nearest),
        rungs=tuple(_rung(index, rung, ships=index == ships) for index, rung in enumerate(shrinkage.rungs)),
        chart=charts.bought_chart(shrinkage),
        steps=tuple(step_page(step, f"step-{index}") for index, step in enumerate(shrinkage.steps, 1)),
    )


def step_page(step: ShrinkStep, id: str = "step-1") -> StepPage:
    """`id` tells the figures of several steps on one page apart."""
    record = step.training
    return StepPage(
        id=id,
        title=plain(step.title),
        size=kept_text(step.before, step.after),
        kept=step.kept,
        mark=kept_mark(step.kept),
        why=plain(step.why),
        warnings=() if step.pruning is None else pruning_warnings(step.pruning),
        facts=(*step_facts(step), ("Took", duration(step.seconds))),
        digests=tuple(_digests(step)),
        considered=tuple(_considered(step)),
        stages=tuple(_rung(index, stage, ships=False) for index, stage in enumerate(step.stages)),
        figures=tuple(_figures(step, id)),
        checks=() if record is None else check_lines(record),
        sources=() if record is None else source_lines(record),
        told_failures=failures_text(step.failures) if step.failures else "",
        failures=tuple(
            FailureLine(plain(one.slice), one.items, one.inherited, one.lost, one.new)
            for one in most_lost(step.failures)
        ),
        notes=tuple(map(plain, _notes(step))),
        command=command_text(step),
    )


def check_lines(record: TrainingRecord) -> tuple[CheckLine, ...]:
    return tuple(
        CheckLine(
            check.step,
            check.outcome,
            DASH if check.mean_kl is None else number(check.mean_kl),
            plain(check.worst),
            plain(", ".join(check.failed)),
        )
        for check in record.checks
    )


def source_lines(record: TrainingRecord) -> tuple[SourceLine, ...]:
    return tuple(
        SourceLine(
            plain(source.name), source.documents, source.tokens, plain(source.license or "not stated"), source.sha256
        )
        for source in record.sources
    )


def _rung(index: int, rung: ShrinkRung, *, ships: bool) -> RungLine:
    tokens = f", {rung.tokens:,} tokens" if rung.tokens else ""
    return RungLine(
        number=index + 1,
        title=plain(rung.title),
        scheme=plain(rung.scheme),
        parameters=count_text(rung.parameters),
        nbytes=rung.artifact_bytes,
        cost=f"{duration(rung.seconds)}{tokens}",
        mean_kl=rung.mean_kl,
        failed=DASH if rung.gates_failed is None else f"{rung.gates_failed:,}",
        score=DASH if rung.score is None else number(rung.score),
        fits=fits_text(rung.fits).replace("?", "not known"),
        kept=rung.kept,
        mark=kept_mark(rung.kept),
        why=plain(rung.why),
        ships=ships,
    )


def _notes(step: ShrinkStep) -> Iterator[str]:
    yield from step.notes
    yield from () if step.training is None else step.training.notes
    if told := unlicensed_text(step):
        yield told


def _digests(step: ShrinkStep) -> Iterator[tuple[str, str]]:
    yield "Digest before", plain(step.before.digest)
    yield "Digest after", plain(step.after.digest)
    if step.pruning is not None:
        yield "Calibration digest", plain(step.pruning.calibration_sha256)


def _considered(step: ShrinkStep) -> Iterator[tuple[str, str, str]]:
    for words, share, distance in () if step.pruning is None else step.pruning.considered:
        yield plain(words), human(share, "share"), human(distance, "nats")


def _figures(step: ShrinkStep, id: str) -> Iterator[charts.Figure]:
    """Those that say something."""
    found = [charts.cut_chart(step, f"{id}-cut")] if step.pruning is not None else []
    if step.training is not None:
        found += charts.training_charts(step.training, id)
    if step.failures:
        found.append(charts.failures_chart(step.failures, f"{id}-failures"))
    yield from (figure for figure in found if figure.svg is not None)
