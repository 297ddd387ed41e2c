"""A model as it would ship: quantized, compared with the teacher, asked what the suite asks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.budget import Budget
from edgeshrink.core.plan import Plan
from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Estimate, Measured, Reading, Unmeasured
from edgeshrink.core.suite import Suite
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.climb import holds
from edgeshrink.engine.exporters.registry import exporter
from edgeshrink.engine.shrink.source import Source
from edgeshrink.engine.suite.of_build import behaviour_of, gains_of_build
from edgeshrink.evaluate.subject import Subject
from edgeshrink.judging.judge import distance_lines
from edgeshrink.judging.paid import Standing, standing
from edgeshrink.planning.requested import delegate_here
from edgeshrink.planning.resolve import Situation, candidates, plan_for

_DISTANCE = "mean KL"
_USUAL_KL = 0.1  # nats a token: what distances are counted in where the budget sets no limit


@dataclass(frozen=True, slots=True)
class Terms:
    """What every smaller model of a build is held against. `budget` has the gates of the command line."""

    teacher: Source
    situation: Situation
    suite: Suite | None
    budget: Budget


@dataclass(frozen=True, slots=True)
class Quantized:
    """One model in one scheme. `behaviour` None: there is no suite."""

    parameters: int
    plan: Plan
    artifact: Finished
    quality: Quality | Unmeasured
    behaviour: Behaviour | Unmeasured | None

    @property
    def mean_kl(self) -> Reading:
        return self.quality if isinstance(self.quality, Unmeasured) else self.quality.mean_kl

    @property
    def distance(self) -> float | None:
        """Nats a token to the teacher; None where that could not be measured."""
        return self.mean_kl.value if isinstance(self.mean_kl, Measured) else None


def quantized(terms: Terms, source: Source, scheme: str) -> Quantized:
    """`source` in `scheme`, compared and asked, but not measured on the device."""
    workshop = source.workshop
    request = replace(workshop.request, scheme=scheme)
    situation = replace(workshop.situation(terms.situation.calibration), request=request)
    maker = exporter(situation.format_name, workshop)
    maker.check_before_work()
    plan = plan_for(situation, scheme)
    artifact = maker.artifact(plan)
    here = delegate_here(request, plan.delegate, plan.format, on_this_host=situation.on_this_host)
    subject = Subject(artifact.path, plan.runtime, here)
    quality = workshop.quality(subject, artifact.sha256, plan.tensors, lambda path: maker.own_checks(plan, path))
    behaviour: Behaviour | Unmeasured | None = None
    if terms.suite is not None:
        gains, floor = gains_of_build(workshop, artifact.nbytes), terms.budget.quality
        behaviour = behaviour_of(workshop, terms.suite, floor, subject, artifact.sha256, plan.context, gains)
    return Quantized(workshop.model.parameters, plan, artifact, quality, behaviour)


def plain_quantization(terms: Terms, nbytes: int) -> Quantized | None:
    """The teacher in the largest scheme that takes at most `nbytes`; None where none is that small."""
    request = replace(terms.situation.request, scheme=None)
    small = {
        predicted.value: one.scheme
        for one in candidates(replace(terms.situation, request=request))
        if isinstance(predicted := one.predictions.artifact_bytes, Estimate) and predicted.value <= nbytes
    }
    return quantized(terms, terms.teacher, small[max(small)]) if small else None


def standing_of(one: Quantized, budget: Budget) -> Standing:
    """By the suite; where none was run, by the distance to the reference alone."""
    if isinstance(one.behaviour, Behaviour):
        return standing(one.behaviour, budget.quality)
    limit = budget.quality.mean_kl_max or _USUAL_KL
    failed = holds(distance_lines(budget, one.quality)) is False
    return Standing(
        failed=(_DISTANCE,) if failed else (),
        unknown=(),
        parts=() if one.distance is None else ((_DISTANCE, one.distance / limit),),
    )
