"""How gates of the command line, and those of a profile, see a student."""

from __future__ import annotations

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.gates import SliceGate, default_gates
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.request import Request
from edgeshrink.core.training import GateCheck
from edgeshrink.core.verdict import Verdict
from edgeshrink.engine.climb import gated
from edgeshrink.engine.situation import find_device
from edgeshrink.judging.behaviour import gate_lines
from edgeshrink.judging.gains import Gains
from edgeshrink.judging.gate_words import with_gates
from edgeshrink.judging.judge import overall

GENERAL = "text/general"


def floor_of(request: Request) -> QualityFloor:
    """The gates that `request` names and nothing else; where it names none, the profile's."""
    if not request.gates:
        _, profile, _ = find_device(request, None)
        return gated(profile.budget, request).quality
    off = QualityFloor.model_validate({"slices": {name: SliceGate.model_validate({}) for name in default_gates()}})
    return with_gates(off, request.gates)


def verdict_of(floor: QualityFloor, behaviour: Behaviour | Unmeasured, gains: Gains | None = None) -> Verdict:
    lines = gate_lines(floor, behaviour, gains)
    return Verdict(overall(tuple(line.outcome for line in lines)), lines)


def gate_check(floor: QualityFloor, behaviour: Behaviour | Unmeasured, step: int) -> GateCheck:
    """One look at a student in training."""
    verdict = verdict_of(floor, behaviour)
    failed = tuple(line.slice or line.name for line in verdict.lines if line.outcome == "FAIL")
    return GateCheck(step, verdict.outcome, failed, _worst(behaviour), mean_kl(behaviour))


def mean_kl(behaviour: Behaviour | Unmeasured) -> float | None:
    """On general text, nats a token; None where it was not read."""
    found = mean_kl_of(behaviour)
    return found.value if isinstance(found, Measured) else None


def mean_kl_of(behaviour: Behaviour | Unmeasured | None) -> Reading:
    """The same as a reading, with why there is none."""
    if behaviour is None:
        return Unmeasured("no suite was run")
    if isinstance(behaviour, Unmeasured):
        return behaviour
    general = behaviour.slice(GENERAL)
    metric = None if general is None else general.metric("mean KL")
    return Unmeasured(f"the suite has no {GENERAL}") if metric is None else metric.candidate


def _worst(behaviour: Behaviour | Unmeasured) -> str:
    moved = () if isinstance(behaviour, Unmeasured) else behaviour.moved
    return moved[0].name if moved else ""
