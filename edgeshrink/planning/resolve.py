"""A request, what is known of the model, the target and the device: resolved to candidates and to one Plan. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeshrink.core.budget import Budget
from edgeshrink.core.calibration import MachineCalibration
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import Candidate, Plan, Predictions, TensorPlan
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.core.reading import Estimate
from edgeshrink.core.request import Request
from edgeshrink.core.target import Target, TargetFormat
from edgeshrink.errors import PlanError
from edgeshrink.planning.formats import FormatPlanner, format_planner, scheme_of
from edgeshrink.planning.mixtures import active_bytes, mixture_notes
from edgeshrink.planning.requested import delegate_of, format_name, requested_scheme


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a plan depends on.

    `layout` is the model's tensors before any quantization, under GGUF's names and with the source's beside them;
    `header` its metadata as GGUF; `tokenizer_bytes` the size of the tokenizer's files, which stand beside a .pte or
    an .onnx.
    """

    request: Request
    facts: ModelFacts
    target: Target
    profile: DeviceProfile
    layout: tuple[TensorPlan, ...]
    header: tuple[KeyValue, ...]
    tokenizer_bytes: int
    calibration: MachineCalibration | None
    on_this_host: bool

    @property
    def format_name(self) -> str:
        return format_name(self.request, self.target)

    @property
    def format(self) -> TargetFormat:
        return self.target.formats[self.format_name]

    @property
    def planner(self) -> FormatPlanner:
        return format_planner(self.format_name)

    @property
    def delegate(self) -> str:
        return delegate_of(self.request, self.target, self.format_name)

    @property
    def context(self) -> int:
        """Tokens of KV cache: asked for, else the target's, never more than the model was trained on."""
        asked = self.request.context or self.format.context_tokens
        return min(asked, self.facts.context_length)


def ladder_schemes(situation: Situation) -> tuple[str, ...]:
    """The schemes to consider: the one asked for, else the target's ladder."""
    asked = requested_scheme(situation.request, situation.target)
    if asked is not None:
        return (asked,)
    return tuple(scheme_of(name, situation.format_name) for name in situation.format.schemes)


def preferred_scheme(situation: Situation, ladder: Sequence[Candidate]) -> str:
    """Where `ladder` starts: the scheme asked for, else the target's preferred one, else the lowest rung there is."""
    asked = requested_scheme(situation.request, situation.target)
    wanted = asked or scheme_of(situation.format.preferred_scheme, situation.format_name)
    return wanted if wanted in [candidate.scheme for candidate in ladder] else ladder[0].scheme


def candidate(situation: Situation, scheme: str) -> Candidate:
    """One rung as predicted."""
    tensors = situation.planner.tensors(situation, scheme)
    predictions = situation.planner.predictions(situation, scheme, tensors)
    fits, why = predicted_fit(situation.profile.budget, predictions)
    bits = 8 * sum(tensor.nbytes for tensor in tensors) / sum(tensor.elements for tensor in tensors)
    experts = situation.facts.experts
    return Candidate(scheme, bits, predictions, fits, why, active_bytes(tensors, experts) if experts else None)


def candidates(situation: Situation) -> tuple[Candidate, ...]:
    """Every rung that can be planned; PlanError of the first where none can.

    A rung of the target's own that the delegate cannot compute is left out.
    """
    found, refused = [], []
    for name in ladder_schemes(situation):
        try:
            found.append(candidate(situation, name))
        except PlanError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    return tuple(found)


def predicted_fit(budget: Budget, predictions: Predictions, *, network: bool = False) -> tuple[bool | None, str]:
    """False with the first line that is over the budget; else True, and which lines could not be predicted.

    None where not even size and memory are limited and predicted: then nothing is known of the fit. A `network` has
    no tokens whose speed could be limited.
    """
    limits = (
        ("file", predictions.artifact_bytes, budget.artifact_bytes_max, True),
        ("peak RAM", predictions.peak_rss_bytes, budget.peak_rss_bytes_max, True),
        ("decode speed", predictions.decode_tok_s, budget.decode_tok_s_min, False),
        ("TTFT", predictions.ttft_p95_ms, budget.ttft_p95_ms_max, True),
    )
    known, unknown = 0, []
    for name, prediction, limit, at_most in limits[:2] if network else limits:
        if limit is None:
            continue
        if not isinstance(prediction, Estimate):
            unknown.append(name)
            continue
        known += 1
        if prediction.value > limit if at_most else prediction.value < limit:
            return False, f"{name} {'over' if at_most else 'under'} the budget"
    rest = f"; not predicted: {', '.join(unknown)}" if unknown else ""
    return (True, f"inside the budget{rest}") if known else (None, f"nothing to go by{rest}")


def plan_for(situation: Situation, scheme: str) -> Plan:
    """The Plan of one scheme."""
    planner = situation.planner
    tensors = planner.tensors(situation, scheme)
    return Plan(
        target=situation.target.id,
        profile=situation.profile.id,
        format=situation.format_name,
        runtime=situation.format.runtime,
        delegate=situation.delegate,
        scheme=scheme,
        context=situation.context,
        model_type=situation.facts.model_type,
        tensors=tensors,
        uses_imatrix=planner.uses_imatrix(situation, scheme),
        steps=planner.steps(situation, scheme),
        predictions=planner.predictions(situation, scheme, tensors),
        settings=planner.settings(situation),
        notes=(*_notes(situation), *mixture_notes(situation.facts, tensors)),
    )


def _notes(situation: Situation) -> tuple[str, ...]:
    asked = situation.request.context or 0
    notes = situation.facts.notes
    if asked > situation.facts.context_length:
        notes = (*notes, f"context {asked} cut to the model's {situation.facts.context_length}")
    return notes
