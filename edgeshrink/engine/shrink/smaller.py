"""What a build does when no quantization fits: prune, heal, examine after each step, and keep only what paid."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.events import notice
from edgeshrink.core.reading import Measured
from edgeshrink.core.report import Rung
from edgeshrink.core.shape import Shape
from edgeshrink.core.shrinking import Shrinkage, ShrinkRung, ShrinkStep
from edgeshrink.core.suite import Suite
from edgeshrink.engine.climb import Built, gated, holds
from edgeshrink.engine.shrink.attempts import Other, built_of, changes_for, healing, rung_of
from edgeshrink.engine.shrink.cut import Pruned, cut_to
from edgeshrink.engine.shrink.prune import title
from edgeshrink.engine.shrink.quantized import Quantized, Terms, plain_quantization, quantized, standing_of
from edgeshrink.engine.shrink.source import Source, source_of
from edgeshrink.engine.shrink.teaching import Taught, taught
from edgeshrink.engine.shrink.told import step_told
from edgeshrink.errors import Error
from edgeshrink.judging.judge import device_lines
from edgeshrink.judging.paid import Paid, paid
from edgeshrink.planning.ladder import Tried as PlainTried
from edgeshrink.planning.resolve import Situation
from edgeshrink.planning.shrink.ladder import Attempt, Tried, following_attempt

Plain = Sequence[tuple[PlainTried, Rung]]
"""The rungs of plain quantization, as the ladder and as the report tells them."""
_NOTHING_FITS = "no quantization fits with its quality floor, so a smaller model is made"
_LEAVE_OUT = "--shrink never leaves this out"


@dataclass(frozen=True, slots=True)
class _Made:
    """What one attempt made, and what it tells the planner. `kept`: it is the result."""

    built: Built
    student: Source
    steps: tuple[ShrinkStep, ...]
    rungs: tuple[ShrinkRung, ...]
    tried: Tried
    kept: bool


def smaller(teacher: Source, situation: Situation, suite: Suite | None, plain: Plain) -> Other:
    """Attempt after attempt, lightest first, until one fits, passes its floor and beats its start and plain
    quantization; or the refusal that names the nearest budget that would have worked."""
    terms = Terms(teacher, situation, suite, gated(situation.profile.budget, teacher.workshop.request))
    tried = [_tried_plain(one, rung, teacher) for one, rung in plain]
    done: list[_Made] = []
    while isinstance(attempt := following_attempt(situation, tried), Attempt):
        teacher.workshop.listener(notice(f"{_NOTHING_FITS}: {attempt.why} ({_LEAVE_OUT})"))
        try:
            made = _made(terms, attempt)
        except Error as error:  # too little memory, text that the suite asks...: the build still has its report
            return Other(_shrinkage(done, error.message, error.hint))
        done.append(made)
        tried.append(made.tried)
        if made.kept:
            return Other(_shrinkage(done), made.built, made.student, situation)
    return Other(_shrinkage(done, attempt.why, attempt.nearest))


def _shrinkage(done: Sequence[_Made], refusal: str = "", nearest: str = "") -> Shrinkage:
    steps = tuple(step for made in done for step in made.steps)
    rungs = tuple(rung for made in done for rung in made.rungs)
    return Shrinkage(steps, rungs, refusal, nearest)


def _tried_plain(one: PlainTried, rung: Rung, teacher: Source) -> Tried:
    kl = rung.mean_kl.value if isinstance(rung.mean_kl, Measured) else None
    return Tried(one.scheme, teacher.brief().shape, one.quality, one.fits, kl, measured=_size(rung.artifact_bytes))


def _made(terms: Terms, attempt: Attempt) -> _Made:
    """Cut, healed and quantized, and held against its start and plain quantization."""
    teacher, budget = terms.teacher, terms.budget
    began = time.monotonic()
    pruned = cut_to(teacher, attempt.shapes, (), teacher.workshop.calibration_text)
    cut = source_of(pruned.source.folder, teacher, **changes_for(attempt.scheme, teacher))
    start = quantized(terms, cut, attempt.scheme)
    pruning_s, began = time.monotonic() - began, time.monotonic()
    done = taught(teacher, cut, healing(teacher.workshop.request), terms.suite, heard=lambda _record: None)
    built = built_of(terms, done.student, attempt.scheme, attempt.why)
    parameters = done.student.workshop.model.parameters
    result = Quantized(parameters, built.plan, built.artifact, built.quality, built.behaviour)
    healing_s = time.monotonic() - began
    plain = plain_quantization(terms, built.artifact.nbytes)

    stands, stood = standing_of(result, budget), standing_of(start, budget)
    told = paid(stands, stood, None if plain is None else standing_of(plain, budget))
    kept = told.kept and built.verdict.outcome != "FAIL"
    why = told.why if kept or not told.kept else f"{told.why}; but the verdict is {built.verdict.outcome}"
    fits = holds(device_lines(budget, built.artifact.nbytes, built.measurements, built.plan.predictions))
    limit = budget.quality.mean_kl_max
    near = result.distance is None or limit is None or result.distance <= limit
    rungs = [
        replace(rung_of(terms, "pruned", start), seconds=pruning_s, kept=True, why=pruned.told.why),
        replace(
            rung_of(terms, "pruned and healed", result),
            seconds=healing_s,
            tokens=done.record.tokens,
            fits=fits,
            kept=kept,
            why=why,
        ),
    ]
    if plain is not None:
        rungs.insert(0, rung_of(terms, "plain quantization, at most as large", plain))
    return _Made(
        built=built,
        student=done.student,
        steps=(_pruning(teacher, pruned, pruning_s), _healing(teacher, cut, done, built, (told, healing_s))),
        rungs=tuple(rungs),
        tried=Tried(
            scheme=attempt.scheme,
            shape=Shape.of(done.student.workshop.model.facts),
            quality=not stands.failed and near,
            fits=fits,
            mean_kl=result.distance,
            failed=stands.failed,
            measured=_size(built.artifact.nbytes),
        ),
        kept=kept,
    )


def _size(nbytes: int) -> tuple[tuple[str, float], ...]:
    return (("artifact_bytes", float(nbytes)),)


def _pruning(teacher: Source, pruned: Pruned, seconds: float) -> ShrinkStep:
    before, after = teacher.brief(), pruned.source.brief()
    told = title(before, after, pruned.told)
    cut = replace(after, name=f"{before.name}, cut")
    return step_told("prune", told, before, cut, before, seconds=seconds, pruning=pruned.told)


def _healing(teacher: Source, cut: Source, done: Taught, built: Built, judged: tuple[Paid, float]) -> ShrinkStep:
    found = built.behaviour if isinstance(built.behaviour, Behaviour) else None
    whole, (told, seconds) = teacher.brief(), judged
    return step_told(
        "distill",
        f"healed by {whole.name}",
        replace(cut.brief(), name=f"{whole.name}, cut"),
        replace(done.student.brief(), name=f"{whole.name}, cut and healed"),
        whole,
        seconds=seconds,
        training=done.record,
        behaviour=found,
        kept=told.kept,
        why=told.why,
    )
