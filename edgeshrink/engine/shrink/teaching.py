"""Train a student, in one run or in segments between which the suite looks at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeshrink.compress.distill.teacher_cache.settings import CacheSettings
from edgeshrink.compress.distill.vocabularies import shared_vocabulary
from edgeshrink.compress.training.order import TrainingOrder
from edgeshrink.compress.training.record import read_record
from edgeshrink.core.shrinking_request import Teaching
from edgeshrink.core.training import GateCheck, TrainingRecord, settings_json
from edgeshrink.engine.shrink.source import Source, source_of, torch_pins
from edgeshrink.engine.steps.cutting import MODEL
from edgeshrink.engine.steps.teacher_cache import WriteTeacherCache
from edgeshrink.engine.steps.training import STATE, Heard, TrainStudent
from edgeshrink.store import Stored
from edgeshrink.store.digests import combined_sha256

OBJECTIVE = "edgeshrink.compress.distill.objectives:build"
PATIENCE = 2
"""Looks of the suite without an improvement after which a run ends."""

Look = Callable[[Source, int], GateCheck]


@dataclass(frozen=True, slots=True)
class Taught:
    """A trained student: the best that any look saw, else the last."""

    student: Source
    record: TrainingRecord


def taught(
    teacher: Source, student: Source, corpus: Stored, teaching: Teaching, *, heard: Heard, look: Look | None = None
) -> Taught:
    """Train `student` on `corpus`. With `look` and `teaching.check_every`, the suite decides when to stop: at the first
    look that every gate passes, or after PATIENCE looks in a row that saw nothing better."""
    run = _Run(teacher, student, corpus, teaching, heard)
    checks: list[GateCheck] = []
    best: Stored | None = None
    stored = run.segment(None, None if look is None else teaching.check_every)
    while look is not None and teaching.check_every is not None:
        steps = read_record(stored.folder / STATE).steps
        checks.append(look(source_of(stored.folder / MODEL, student), steps))
        if _better(checks[-1], checks[:-1]):
            best = stored
        if stop := _stopped(checks) or _ended(stored):
            record = read_record(stored.folder / STATE)
            chosen = best or stored
            return Taught(
                source_of(chosen.folder / MODEL, student), replace(record, checks=tuple(checks), stopped=stop)
            )
        stored = run.segment(stored, steps + teaching.check_every)
    record = read_record(stored.folder / STATE)
    return Taught(source_of(stored.folder / MODEL, student), record)


@dataclass(frozen=True, slots=True)
class _Run:
    teacher: Source
    student: Source
    corpus: Stored
    teaching: Teaching
    heard: Heard

    def segment(self, before: Stored | None, until: int | None) -> Stored:
        workshop = self.student.workshop
        parameters, inputs = self._objective()
        start = None if before is None else before.folder / STATE
        if before is not None:
            inputs["before"] = _digest(before)
        order = TrainingOrder(
            student=self.student.folder,
            corpus=self.corpus.folder,
            objective=OBJECTIVE,
            objective_parameters=parameters,
            settings=self.teaching.settings,
            objective_settings=self.teaching.objective,
            start=start,
            until=until,
            threads=workshop.threads,
        )
        told = {"vocabulary": parameters.get("vocabulary")}
        return workshop.run(
            TrainStudent(order, inputs, told, workshop.model.facts, torch_pins(), self.heard),
        )

    def _objective(self) -> tuple[dict[str, Any], dict[str, str]]:
        """What the objective is built from, as JSON, and the digests of all that goes into the run."""
        settings, teacher, student = self.teaching.objective, self.teacher, self.student
        inputs = {"student": student.digest, "corpus": _digest(self.corpus)}
        parameters: dict[str, Any] = {"settings": settings_json(settings), "seed": self.teaching.settings.seed}
        if settings.kind == "sequence":
            return parameters, inputs
        parameters["vocabulary"] = shared_vocabulary(teacher.workshop.model.facts, student.workshop.model.facts)
        if not settings.cached:
            return {**parameters, "teacher": str(teacher.folder)}, {**inputs, "teacher": teacher.digest}
        cache = student.workshop.run(
            WriteTeacherCache(
                teacher=teacher.folder,
                teacher_sha256=teacher.digest,
                corpus=self.corpus.folder,
                corpus_sha256=inputs["corpus"],
                settings=CacheSettings(seed=self.teaching.settings.seed),
                threads=student.workshop.threads,
                tools=torch_pins(),
            )
        )
        return {**parameters, "cache": str(cache.folder), "cached": True}, {**inputs, "cache": _digest(cache)}


def _digest(stored: Stored) -> str:
    return combined_sha256(stored.digests.items())


def _ended(stored: Stored) -> str:
    record = read_record(stored.folder / STATE)
    return "the plan's last step" if record.steps >= record.planned_steps else ""


def _stopped(checks: list[GateCheck]) -> str:
    """Why the run should end after the last of `checks`; "" where it should not."""
    last = checks[-1]
    if last.outcome == "PASS":
        return f"every gate passes at step {last.step}"
    since = checks[-PATIENCE:]
    before = checks[:-PATIENCE]
    if before and not any(_better(check, before) for check in since):
        return f"the suite saw nothing better in {PATIENCE} looks"
    return ""


def _better(check: GateCheck, before: list[GateCheck]) -> bool:
    return all(_standing(check) < _standing(other) for other in before)


def _standing(check: GateCheck) -> tuple[int, float]:
    """Lower is better: gates that fail, then the distance to the teacher."""
    return len(check.failed), float("inf") if check.mean_kl is None else check.mean_kl


def page_writer(page: Path) -> Heard:
    """Draws the curve of a run into `page` while it goes on; a browser that shows it loads it again by itself."""
    from edgeshrink.report.training_page import training_html

    def heard(record: TrainingRecord) -> None:
        aside = page.with_suffix(".part")
        aside.write_text(training_html(record, running=True), encoding="utf-8")
        aside.replace(page)

    return heard
