"""A request, what is known of the model, the target and the device: resolved to candidates and to one Plan. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.core.budget import Budget
from edgeshrink.core.calibration import MachineCalibration
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import Candidate, Plan, Predictions, StepPlan, TensorPlan
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.core.reading import Estimate
from edgeshrink.core.request import Request
from edgeshrink.core.target import Target, TargetFormat
from edgeshrink.errors import PlanError
from edgeshrink.planning.estimate import predict
from edgeshrink.planning.gguf_size import gguf_file_bytes
from edgeshrink.planning.presets import preset_types
from edgeshrink.planning.schemes import scheme

# Below this many bits per weight the importance matrix is on by default.
IMATRIX_BELOW_BITS = 5.0


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a plan depends on. `layout` is the model's tensors before any quantization, `header` its metadata."""

    request: Request
    facts: ModelFacts
    target: Target
    profile: DeviceProfile
    layout: tuple[TensorPlan, ...]
    header: tuple[KeyValue, ...]
    calibration: MachineCalibration | None
    on_this_host: bool

    @property
    def format(self) -> TargetFormat:
        return format_of(self.request, self.target)

    @property
    def context(self) -> int:
        """Tokens of KV cache: asked for, else the target's, never more than the model was trained on."""
        asked = self.request.context or self.format.context_tokens
        return min(asked, self.facts.context_length)


def format_of(request: Request, target: Target) -> TargetFormat:
    """How the target builds the format that was asked for; PlanError lists those that it takes."""
    found = target.formats.get(request.format)
    if found is None:
        raise PlanError(
            f"the target {target.id} takes no {request.format!r}", hint=f"it takes: {', '.join(target.formats)}"
        )
    return found


def uses_imatrix(request: Request, scheme_name: str) -> bool:
    """Whether this scheme is quantized with an importance matrix."""
    if request.imatrix == "default":
        return scheme(scheme_name).bits_per_weight < IMATRIX_BELOW_BITS
    return request.imatrix != "none" and scheme(scheme_name).bits_per_weight < 16


def ladder_schemes(situation: Situation) -> tuple[str, ...]:
    """The schemes to consider: the one asked for, else the target's ladder."""
    if situation.request.scheme is not None:
        return (scheme(situation.request.scheme).name,)
    return tuple(scheme(name).name for name in situation.format.schemes)


def typed_tensors(situation: Situation, scheme_name: str) -> tuple[TensorPlan, ...]:
    return preset_types(
        scheme_name,
        situation.layout,
        situation.facts,
        has_imatrix=uses_imatrix(situation.request, scheme_name),
        overrides=situation.request.tensor_types,
    )


def candidate(situation: Situation, scheme_name: str) -> Candidate:
    """One rung as predicted."""
    tensors = typed_tensors(situation, scheme_name)
    predictions = _predictions(situation, scheme_name, tensors)
    fits, why = predicted_fit(situation.profile.budget, predictions)
    bits = 8 * sum(tensor.nbytes for tensor in tensors) / sum(tensor.elements for tensor in tensors)
    return Candidate(scheme_name, bits, predictions, fits, why)


def candidates(situation: Situation) -> tuple[Candidate, ...]:
    return tuple(candidate(situation, name) for name in ladder_schemes(situation))


def predicted_fit(budget: Budget, predictions: Predictions) -> tuple[bool | None, str]:
    """False with the first line that is over the budget; else True, and which lines could not be predicted.

    None where not even size and memory are limited and predicted: then nothing is known of the fit.
    """
    limits = (
        ("file", predictions.artifact_bytes, budget.artifact_bytes_max, True),
        ("peak RAM", predictions.peak_rss_bytes, budget.peak_rss_bytes_max, True),
        ("decode speed", predictions.decode_tok_s, budget.decode_tok_s_min, False),
        ("TTFT", predictions.ttft_p95_ms, budget.ttft_p95_ms_max, True),
    )
    known, unknown = 0, []
    for name, prediction, limit, at_most in limits:
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


def plan_for(situation: Situation, scheme_name: str) -> Plan:
    """The Plan of one scheme."""
    tensors = typed_tensors(situation, scheme_name)
    with_imatrix = uses_imatrix(situation.request, scheme_name)
    return Plan(
        target=situation.target.id,
        profile=situation.profile.id,
        format=situation.request.format,
        runtime=situation.format.runtime,
        scheme=scheme_name,
        context=situation.context,
        model_type=situation.facts.model_type,
        tensors=tensors,
        uses_imatrix=with_imatrix,
        steps=_steps(scheme_name, with_imatrix),
        predictions=_predictions(situation, scheme_name, tensors),
        notes=_notes(situation),
    )


def _predictions(situation: Situation, scheme_name: str, tensors: tuple[TensorPlan, ...]) -> Predictions:
    return predict(
        situation.facts,
        tensors,
        file_bytes=gguf_file_bytes(situation.header, tensors),
        context=situation.context,
        profile=situation.profile,
        calibration=situation.calibration,
        on_this_host=situation.on_this_host,
        prompt_tokens=situation.profile.budget.ttft_prompt_tokens,
        uses_imatrix=uses_imatrix(situation.request, scheme_name),
    )


def _steps(scheme_name: str, with_imatrix: bool) -> tuple[StepPlan, ...]:
    steps = [
        StepPlan("pretokenizer", "prove the pre-tokenizer by behaviour"),
        StepPlan("export", "write the unquantized reference"),
        StepPlan("reference", "run the reference over the evaluation text"),
        StepPlan("importance", "weigh the columns on the calibration text"),
        StepPlan("export", f"write {scheme_name}"),
        StepPlan("evaluate", "compare the finished file with its source"),
        StepPlan("measure", "measure it in a fresh process"),
    ]
    return tuple(step for step in steps if with_imatrix or step.id != "importance")


def _notes(situation: Situation) -> tuple[str, ...]:
    asked = situation.request.context or 0
    notes = situation.facts.notes
    if asked > situation.facts.context_length:
        notes = (*notes, f"context {asked} cut to the model's {situation.facts.context_length}")
    return notes
