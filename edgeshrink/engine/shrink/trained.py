"""A build whose quantization misses its quality floor trains the model on the grid of the file, and looks again."""

from __future__ import annotations

import time
from dataclasses import replace

from edgeshrink.core.events import notice
from edgeshrink.core.quality import Quality
from edgeshrink.core.shrinking import Shrinkage
from edgeshrink.core.suite import Suite
from edgeshrink.engine.climb import Built, gated, holds
from edgeshrink.engine.shrink.attempts import Other, built_of, changes_for, healing, rung_of
from edgeshrink.engine.shrink.quantized import Quantized, Terms, quantized, standing_of
from edgeshrink.engine.shrink.source import TRAINED, Source, source_of
from edgeshrink.engine.shrink.teaching import taught
from edgeshrink.engine.shrink.told import step_told
from edgeshrink.engine.workshop import Workshop
from edgeshrink.errors import Error
from edgeshrink.judging.judge import device_lines, distance_lines
from edgeshrink.judging.paid import paid
from edgeshrink.planning.resolve import Situation, candidates


def may_train(workshop: Workshop, situation: Situation, built: Built) -> bool:
    """Whether the person asked for it, and what `built` says failed its quality floor with every check in order. A note
    says so where there is no Hugging Face folder to begin with."""
    quality = built.quality
    if not workshop.request.train_for_grid or not isinstance(quality, Quality) or quality.failed_checks:
        return False
    distances = distance_lines(gated(situation.profile.budget, workshop.request), quality)
    gates = (line for line in built.verdict.lines if line.slice)
    if all(line.outcome != "FAIL" for line in (*distances, *gates)):
        return False
    if workshop.model.facts.source.kind != "huggingface":
        workshop.notes.append("nothing was trained for the grid: that begins with a Hugging Face folder, not a GGUF")
        return False
    return True


def trained_for_grid(teacher: Source, situation: Situation, suite: Suite | None) -> Other:
    """The largest scheme that fits the budget, trained by the model's own full precision; kept only where it beats
    the same scheme as it is rounded plainly."""
    terms = Terms(teacher, situation, suite, gated(situation.profile.budget, teacher.workshop.request))
    scheme = _scheme(situation)
    if scheme is None:
        return Other(Shrinkage((), (), "no scheme that could be trained for fits the budget"))
    why = f"{scheme} misses its quality floor, so the model is trained on the values that {scheme} has"
    teacher.workshop.listener(notice(why))
    try:
        return _attempt(terms, scheme, why)
    except Error as error:  # too little memory, text that the suite asks...: the build still has its report
        return Other(Shrinkage((), (), error.message, error.hint))


def _scheme(situation: Situation) -> str | None:
    """The most bits that fit."""
    fitting = [one for one in candidates(situation) if one.fits is not False and one.bits_per_weight < 16]
    return max(fitting, key=lambda one: one.bits_per_weight).scheme if fitting else None


def _attempt(terms: Terms, scheme: str, why: str) -> Other:
    teacher, budget = terms.teacher, terms.budget
    began = time.monotonic()
    start = quantized(terms, teacher, scheme)
    asked = healing(teacher.workshop.request)
    teaching = replace(
        asked,
        objective=replace(asked.objective, kind="grid"),
        scheme=scheme,
        format=terms.situation.format_name,
    )
    done = taught(teacher, teacher, teaching, terms.suite, heard=lambda _record: None)
    student = source_of(done.student.folder, teacher, suffix=TRAINED, **changes_for(scheme, teacher))
    built = built_of(terms, student, scheme, why)
    seconds = time.monotonic() - began
    result = Quantized(teacher.workshop.model.parameters, built.plan, built.artifact, built.quality, built.behaviour)
    told = paid(standing_of(result, budget), standing_of(start, budget), None)
    kept = told.kept and built.verdict.outcome != "FAIL"
    said = told.why if kept or not told.kept else f"{told.why}; but the verdict is {built.verdict.outcome}"
    rungs = (
        replace(rung_of(terms, "quantized", start), why="as it is rounded plainly"),
        replace(
            rung_of(terms, "trained for its grid", result),
            seconds=seconds,
            tokens=done.record.tokens,
            fits=holds(device_lines(budget, built.artifact.nbytes, built.measurements, built.plan.predictions)),
            kept=kept,
            why=said,
        ),
    )
    whole = teacher.brief()
    step = step_told(
        "distill",
        f"trained for {scheme} by its own full precision",
        whole,
        replace(student.brief(), name=f"{whole.name}, trained for {scheme}"),
        whole,
        seconds=seconds,
        training=done.record,
        behaviour=built.behaviour,
        kept=kept,
        why=said,
    )
    if not kept:
        return Other(Shrinkage((step,), rungs, f"{scheme} trained for its grid was not kept: {said}"))
    return Other(Shrinkage((step,), rungs), built, student, terms.situation)
