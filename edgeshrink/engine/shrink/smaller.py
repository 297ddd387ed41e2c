"""What a build does when no quantization fits: prune, heal, examine after each step, and keep only what paid."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import edgeshrink
from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.events import notice
from edgeshrink.core.plan import Plan
from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.report import Rung
from edgeshrink.core.request import HEAL_MINUTES, Request, Shrink
from edgeshrink.core.shape import Shape
from edgeshrink.core.shrinking import SHRINK_SCHEMA, Shrinkage, ShrinkRung, ShrinkStep
from edgeshrink.core.shrinking_request import Teaching
from edgeshrink.core.suite import Suite
from edgeshrink.core.training import TrainingRecord, TrainingSettings
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.climb import Built, climb, gated, holds
from edgeshrink.engine.exporters.registry import exporter
from edgeshrink.engine.shrink.cut import Pruned, cut_to
from edgeshrink.engine.shrink.failures import failures_of
from edgeshrink.engine.shrink.heal import healed
from edgeshrink.engine.shrink.prune import title
from edgeshrink.engine.shrink.source import Source, require_torch, source_of
from edgeshrink.engine.suite.of_build import behaviour_of, gains_of_build
from edgeshrink.engine.workshop import Workshop
from edgeshrink.errors import PlanError, ToolMissing, UsageError
from edgeshrink.evaluate.subject import Subject
from edgeshrink.judging.judge import device_lines, distance_lines
from edgeshrink.judging.paid import Standing, paid, standing
from edgeshrink.planning.ladder import Move
from edgeshrink.planning.ladder import Tried as PlainTried
from edgeshrink.planning.requested import delegate_here
from edgeshrink.planning.resolve import Situation, candidates, plan_for
from edgeshrink.planning.shrink.ladder import Attempt, Tried, following_attempt

ENVIRONMENT = "EDGESHRINK_SHRINK"
Plain = Sequence[tuple[PlainTried, Rung]]
"""The rungs of plain quantization, as the ladder and as the report tells them."""
_NOTHING_FITS = "no quantization fits with its quality floor, so a smaller model is made"
_LEAVE_OUT = "--shrink never leaves this out"


@dataclass(frozen=True, slots=True)
class Smaller:
    """`built` from `student`, as `situation` plans it; all None where nothing smaller holds."""

    shrinkage: Shrinkage
    built: Built | None = None
    student: Source | None = None
    situation: Situation | None = None


@dataclass(frozen=True, slots=True)
class _Rung:
    """One model, quantized to one scheme, compared with the teacher."""

    plan: Plan
    artifact: Finished
    quality: Quality | Unmeasured
    behaviour: Behaviour | Unmeasured | None
    built: Built | None = None


def may_shrink(workshop: Workshop, built: Built) -> bool:
    """Whether a build that ended in `built` may go on to a smaller model: its verdict failed, nobody insisted on one
    scheme or forbade it, and there is a Hugging Face folder to begin with. Where only the extra is missing, a note
    says so."""
    request = workshop.request
    mode = request.shrink or os.environ.get(ENVIRONMENT) or "auto"
    if mode not in get_args(Shrink):
        raise UsageError(f"{ENVIRONMENT} is {mode!r}", hint=f"one of {', '.join(get_args(Shrink))}")
    broken = isinstance(built.quality, Quality) and built.quality.failed_checks
    if mode == "never" or built.verdict.outcome != "FAIL" or broken or request.scheme is not None:
        return False
    if workshop.model.facts.source.kind != "huggingface" or isinstance(built.quality, Unmeasured):
        return False
    try:
        require_torch()
    except ToolMissing as error:
        workshop.notes.append(f"no smaller model was tried: {error.message}; {error.hint}")
        return False
    return True


def smaller(teacher: Source, situation: Situation, suite: Suite | None, plain: Plain) -> Smaller:
    """Attempt after attempt, lightest first, until one fits, passes its floor and beats its start and plain
    quantization; or the refusal that names the nearest budget that would have worked."""
    return _Search(teacher, situation, suite).run(plain)


class _Search:
    """Not frozen: it remembers what every attempt found."""

    def __init__(self, teacher: Source, situation: Situation, suite: Suite | None) -> None:
        self.teacher, self.situation, self.suite = teacher, situation, suite
        self.budget = gated(situation.profile.budget, teacher.workshop.request)
        self.whole = Shape.of(teacher.workshop.model.facts)
        self.steps: list[ShrinkStep] = []
        self.rungs: list[ShrinkRung] = []
        self.failed: tuple[str, ...] = ()

    def run(self, plain: Plain) -> Smaller:
        tried = [
            Tried(
                one.scheme, self.whole, one.quality, one.fits, _value(rung.mean_kl), measured=_size(rung.artifact_bytes)
            )
            for one, rung in plain
        ]
        while isinstance(attempt := following_attempt(self.situation, tried), Attempt):
            self.teacher.workshop.listener(notice(f"{_NOTHING_FITS}: {attempt.why} ({_LEAVE_OUT})"))
            try:
                result = self._attempt(attempt)
            except PlanError as error:  # too little memory, most of all: the build still has its report
                return Smaller(
                    Shrinkage(tuple(self.steps), tuple(self.rungs), refusal=error.message, nearest=error.hint)
                )
            if result.built is not None:
                return result
            tried.append(self._tried(attempt))
        shrinkage = Shrinkage(tuple(self.steps), tuple(self.rungs), refusal=attempt.why, nearest=attempt.nearest)
        return Smaller(shrinkage)

    def _attempt(self, attempt: Attempt) -> Smaller:
        text = self.teacher.workshop.calibration_text
        began = time.monotonic()
        pruned = cut_to(self.teacher, attempt.shapes, (), text)
        start_source = source_of(pruned.source.folder, self.teacher, **_request_of(attempt, self.teacher))
        start = self._rung(start_source, attempt.scheme)
        self.steps.append(self._pruning_step(pruned, time.monotonic() - began))
        began = time.monotonic()
        teaching = _teaching(self.teacher.workshop.request)
        student, record = healed(self.teacher, start_source, teaching, self.suite, heard=lambda _record: None)
        situation = student.workshop.situation(self.situation.calibration)
        maker = exporter(situation.format_name, student.workshop)
        maker.check_before_work()
        move = Move(attempt.scheme, attempt.scheme, attempt.why)
        built, _, _ = climb(student.workshop, maker, situation, move, self.suite)
        result = _Rung(built.plan, built.artifact, built.quality, built.behaviour, built)
        plain = self._plain_rung(built.artifact.nbytes)
        self.failed = self._standing(result).failed
        told = paid(self._standing(result), self._standing(start), None if plain is None else self._standing(plain))
        fits = holds(device_lines(self.budget, built.artifact.nbytes, built.measurements, built.plan.predictions))
        if plain is not None:
            self._row("plain quantization, at most as large", plain, self.teacher, None, 0.0, False, "")
        self._row("pruned", start, pruned.source, None, self.steps[-1].seconds, True, pruned.told.why)
        seconds = time.monotonic() - began
        self.steps.append(self._healing_step(start_source, student, record, built.behaviour, seconds))
        self.steps[-1] = replace(self.steps[-1], kept=told.kept, why=told.why)
        kept = told.kept and built.verdict.outcome != "FAIL"
        why = told.why if not told.kept or kept else f"{told.why}; but the verdict is {built.verdict.outcome}"
        self._row("pruned and healed", result, student, record, seconds, kept, why, fits=fits)
        if not kept:
            return Smaller(Shrinkage(tuple(self.steps), tuple(self.rungs)))
        return Smaller(Shrinkage(tuple(self.steps), tuple(self.rungs)), built, student, situation)

    def _rung(self, source: Source, scheme: str) -> _Rung:
        """`source` quantized to `scheme`, compared and asked, but not measured."""
        workshop = source.workshop
        request = replace(workshop.request, scheme=scheme)
        situation = replace(workshop.situation(self.situation.calibration), request=request)
        maker = exporter(situation.format_name, workshop)
        maker.check_before_work()
        plan = plan_for(situation, scheme)
        artifact = maker.artifact(plan)
        here = delegate_here(request, plan.delegate, plan.format, on_this_host=situation.on_this_host)
        subject = Subject(artifact.path, plan.runtime, here)
        quality = workshop.quality(subject, artifact.sha256, plan.tensors, lambda path: maker.own_checks(plan, path))
        behaviour: Behaviour | Unmeasured | None = None
        if self.suite is not None:
            gains = gains_of_build(workshop, artifact.nbytes)
            floor = self.budget.quality
            behaviour = behaviour_of(workshop, self.suite, floor, subject, artifact.sha256, plan.context, gains)
        return _Rung(plan, artifact, quality, behaviour)

    def _plain_rung(self, nbytes: int) -> _Rung | None:
        """The teacher in the largest scheme that takes at most `nbytes`; None where none is that small."""
        request = replace(self.situation.request, scheme=None)
        small = [
            one
            for one in candidates(replace(self.situation, request=request))
            if _bytes(one.predictions.artifact_bytes) <= nbytes
        ]
        return self._rung(self.teacher, small[-1].scheme) if small else None

    def _standing(self, rung: _Rung) -> Standing:
        """By the suite; where none was run, by the distance to the reference alone."""
        if isinstance(rung.behaviour, Behaviour):
            return standing(rung.behaviour, self.budget.quality)
        kl = _mean_kl(rung.quality)
        limit = self.budget.quality.mean_kl_max or 0.1
        parts = (("mean KL", kl.value / limit),) if isinstance(kl, Measured) else ()
        failed = () if holds(distance_lines(self.budget, rung.quality)) is not False else ("mean KL",)
        return Standing(failed, (), parts)

    def _tried(self, attempt: Attempt) -> Tried:
        """What the attempt that was made last tells the planner."""
        row, step = self.rungs[-1], self.steps[-1]
        kl, size = _value(row.mean_kl), _size(row.artifact_bytes)
        limit = self.budget.quality.mean_kl_max
        good = not self.failed and (kl is None or limit is None or kl <= limit)
        return Tried(attempt.scheme, step.after.shape, good, row.fits, kl, self.failed, size)

    def _row(
        self,
        title: str,
        rung: _Rung,
        source: Source,
        record: TrainingRecord | None,
        seconds: float,
        kept: bool,
        why: str,
        *,
        fits: bool | None = None,
    ) -> None:
        stands = self._standing(rung)
        self.rungs.append(
            ShrinkRung(
                title=title,
                scheme=rung.plan.scheme,
                parameters=source.workshop.model.parameters,
                artifact_bytes=rung.artifact.nbytes,
                seconds=seconds,
                tokens=0 if record is None else record.tokens,
                mean_kl=_mean_kl(rung.quality),
                gates_failed=len(stands.failed),
                score=stands.score,
                fits=fits,
                kept=kept,
                why=why,
            )
        )

    def _pruning_step(self, pruned: Pruned, seconds: float) -> ShrinkStep:
        before, after = self.teacher.brief(), pruned.source.brief()
        return ShrinkStep(
            schema=SHRINK_SCHEMA,
            version=edgeshrink.__version__,
            kind="prune",
            title=title(before, after, pruned.told),
            before=before,
            after=replace(after, name=f"{before.name}, cut"),
            teacher=before,
            pruning=pruned.told,
            training=None,
            behaviour=None,
            failures=(),
            seconds=seconds,
        )

    def _healing_step(
        self,
        start: Source,
        student: Source,
        record: TrainingRecord,
        behaviour: Behaviour | Unmeasured | None,
        seconds: float,
    ) -> ShrinkStep:
        found = behaviour if isinstance(behaviour, Behaviour) else None
        teacher = self.teacher.brief()
        return ShrinkStep(
            schema=SHRINK_SCHEMA,
            version=edgeshrink.__version__,
            kind="distill",
            title=f"healed by {teacher.name}",
            before=replace(start.brief(), name=f"{teacher.name}, cut"),
            after=replace(student.brief(), name=f"{teacher.name}, cut and healed"),
            teacher=teacher,
            pruning=None,
            training=record,
            behaviour=found,
            failures=() if found is None else failures_of(found),
            seconds=seconds,
        )


def _teaching(request: Request) -> Teaching:
    minutes = request.heal_minutes or HEAL_MINUTES
    steps = request.heal_steps
    return Teaching(
        data=request.data,
        settings=TrainingSettings(steps=steps, minutes=None if steps else minutes, seed=request.seed),
    )


def _request_of(attempt: Attempt, teacher: Source) -> dict[str, object]:
    """What a student is built with: one scheme; a matrix that was given for the teacher's shapes is computed anew."""
    imatrix = teacher.workshop.request.imatrix
    return {"scheme": attempt.scheme, "imatrix": imatrix if imatrix in ("auto", "none") else "default"}


def _mean_kl(quality: Quality | Unmeasured) -> Reading:
    return quality if isinstance(quality, Unmeasured) else quality.mean_kl


def _value(reading: Reading | None) -> float | None:
    return reading.value if isinstance(reading, Measured) else None


def _size(nbytes: int) -> tuple[tuple[str, float], ...]:
    return (("artifact_bytes", float(nbytes)),)


def _bytes(prediction: object) -> float:
    return getattr(prediction, "value", float("inf"))
