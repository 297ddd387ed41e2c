"""Walk the ladder of schemes: make a rung, compare it, measure it, judge it, and move on or stop."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.budget import Budget
from edgeshrink.core.delegation import Delegation
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.plan import Plan
from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.report import Rung
from edgeshrink.core.request import Request
from edgeshrink.core.suite import Suite
from edgeshrink.core.verdict import Verdict, VerdictLine
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.exporters.interface import Exporter
from edgeshrink.engine.suite.of_build import behaviour_of, gains_of_build
from edgeshrink.engine.workshop import Workshop
from edgeshrink.evaluate.subject import Subject
from edgeshrink.judging.behaviour import slice_lines
from edgeshrink.judging.gate_words import with_gates
from edgeshrink.judging.judge import device_lines, distance_lines, judge, overall
from edgeshrink.planning.ladder import Move, Tried, following
from edgeshrink.planning.requested import delegate_here
from edgeshrink.planning.resolve import Situation, candidates, plan_for


@dataclass(frozen=True, slots=True)
class Built:
    """One rung: the artifact, what it is worth, and what it measures (or why that was not asked)."""

    plan: Plan
    artifact: Finished
    delegation: Delegation | None
    quality: Quality | Unmeasured
    behaviour: Behaviour | Unmeasured | None
    """What the suite found; None where none was asked for."""
    measurements: Measurements | Unmeasured
    verdict: Verdict


def climb(
    workshop: Workshop, exporter: Exporter, situation: Situation, start: Move, suite: Suite | None
) -> tuple[Built, tuple[Rung, ...], tuple[Tried, ...]]:
    """Until nothing more is to be won; the last rung is the result. What was tried is told in two ways: for the report,
    and for whoever plans on from there."""
    ladder = candidates(situation)
    budget = gated(situation.profile.budget, workshop.request)
    tried: list[Tried] = []
    rungs: list[Rung] = []
    move = start
    while move.scheme is not None:
        plan = plan_for(situation, move.scheme)
        artifact = exporter.artifact(plan)
        delegation = exporter.delegation(plan, artifact)
        here = delegate_here(situation.request, plan.delegate, plan.format, on_this_host=situation.on_this_host)
        quality = _quality(workshop, exporter, plan, artifact, delegation, here)
        good = holds(distance_lines(budget, quality))
        left = good is False and following(ladder, [*tried, Tried(plan.scheme, good, None)]).scheme is not None
        behaviour = None if suite is None else _behaviour(workshop, suite, budget, plan, artifact, quality, left, here)
        if behaviour is not None and _fails(slice_lines(budget.quality, behaviour)):
            good = False
        # A session costs more than a comparison: a rung that is left for its quality is not measured.
        ahead = following(ladder, [*tried, Tried(plan.scheme, good, None)])
        measured: Measurements | Unmeasured = Unmeasured(ahead.why)
        if isinstance(quality, Unmeasured):
            measured = quality
        elif ahead.scheme is None:
            measured = workshop.measurements(situation, plan, artifact, here)
        counted = workshop.place.countable(measured)
        lines = device_lines(budget, artifact.nbytes, counted, plan.predictions)
        tried.append(Tried(plan.scheme, good, holds(lines)))
        move = following(ladder, tried)
        if isinstance(quality, Quality) and quality.failed_checks:
            move = Move(None, plan.scheme, "a check failed, which no other scheme would mend")
        verdict = judge(
            budget,
            artifact_bytes=artifact.nbytes,
            measurements=counted,
            quality=quality,
            predictions=plan.predictions,
            delegate=asked_delegate(situation, plan, measured),
            behaviour=behaviour,
            gains=gains_of_build(workshop, artifact.nbytes),
        )
        built = Built(plan, artifact, delegation, quality, behaviour, measured, verdict)
        rungs.append(_rung(built, move))
    return built, tuple(rungs), tuple(tried)


def holds(lines: Iterable[VerdictLine]) -> bool | None:
    return {"PASS": True, "FAIL": False, "UNKNOWN": None}[overall(tuple(line.outcome for line in lines))]


def gated(budget: Budget, request: Request) -> Budget:
    """The budget with the gates of the command line before its own."""
    return budget.model_copy(update={"quality": with_gates(budget.quality, request.gates)})


def _fails(lines: Iterable[VerdictLine]) -> bool:
    return any(line.outcome == "FAIL" for line in lines)


def asked_delegate(situation: Situation, plan: Plan, measured: Measurements | Unmeasured) -> str | None:
    """The backend that a verdict looks for: where the device ran it, or where somebody insists on one."""
    request = situation.request
    if isinstance(measured, Unmeasured) and request.delegate is None:
        return None
    return "gpu" if request.gpu_layers and plan.delegate == "cpu" else plan.delegate


def _quality(
    workshop: Workshop,
    exporter: Exporter,
    plan: Plan,
    artifact: Finished,
    delegation: Delegation | None,
    here: str,
) -> Quality | Unmeasured:
    if delegation is not None and not delegation.runs_here and here == plan.delegate:
        return Unmeasured(not_run(plan.delegate))
    subject = Subject(artifact.path, plan.runtime, here)
    return workshop.quality(subject, artifact.sha256, plan.tensors, lambda path: exporter.own_checks(plan, path))


def _behaviour(
    workshop: Workshop,
    suite: Suite,
    budget: Budget,
    plan: Plan,
    artifact: Finished,
    quality: Quality | Unmeasured,
    left: bool,
    here: str,
) -> Behaviour | Unmeasured:
    """What the suite finds on this rung; one that is `left` anyway is not asked."""
    if isinstance(quality, Unmeasured):
        return quality
    if quality.failed_checks:
        return Unmeasured("a check on the finished file failed: no suite was run")
    if left:
        return Unmeasured("its distance to the reference is beyond the floor: no suite was run")
    subject = Subject(artifact.path, plan.runtime, here)
    gains = gains_of_build(workshop, artifact.nbytes)
    return behaviour_of(workshop, suite, budget.quality, subject, artifact.sha256, plan.context, gains)


def not_run(delegate: str) -> str:
    return f"lowered ahead of time for {delegate} and inspected; this machine cannot run it"


def _rung(built: Built, move: Move) -> Rung:
    quality = built.quality
    return Rung(
        scheme=built.plan.scheme,
        artifact_bytes=built.artifact.nbytes,
        mean_kl=quality if isinstance(quality, Unmeasured) else quality.mean_kl,
        same_top_share=quality if isinstance(quality, Unmeasured) else quality.same_top_share,
        perplexity_ratio=quality if isinstance(quality, Unmeasured) else quality.perplexity_ratio,
        outcome=built.verdict.outcome,
        move=f"{'stop' if move.scheme is None else f'on to {move.scheme}'}: {move.why}",
    )
