"""GGUF: llama.cpp's mixes of block types, the file exact to the byte. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeshrink.core.plan import Predictions, StepPlan, TensorPlan
from edgeshrink.core.request import Request
from edgeshrink.planning.estimate import predict
from edgeshrink.planning.expert_types import by_usage
from edgeshrink.planning.gguf_size import gguf_file_bytes
from edgeshrink.planning.presets import preset_types
from edgeshrink.planning.schemes import SCHEMES, scheme

if TYPE_CHECKING:
    from edgeshrink.planning.resolve import Situation

# Below this many bits per weight the importance matrix is on by default.
IMATRIX_BELOW_BITS = 5.0


def scheme_names() -> tuple[str, ...]:
    return tuple(SCHEMES)


def tensors(situation: Situation, scheme: str) -> tuple[TensorPlan, ...]:
    typed = preset_types(
        scheme,
        situation.layout,
        situation.facts,
        has_imatrix=uses_imatrix(situation, scheme),
        overrides=situation.request.tensor_types,
    )
    if situation.request.expert_types == "mix":
        return typed
    return by_usage(typed, situation.facts.expert_usage)


def predictions(situation: Situation, scheme: str, tensors: tuple[TensorPlan, ...]) -> Predictions:
    return predict(
        situation.facts,
        tensors,
        file_bytes=gguf_file_bytes(situation.header, tensors),
        context=situation.context,
        profile=situation.profile,
        calibration=situation.calibration,
        on_this_host=situation.on_this_host,
        prompt_tokens=situation.profile.budget.ttft_prompt_tokens,
        uses_imatrix=uses_imatrix(situation, scheme),
    )


def steps(situation: Situation, scheme: str) -> tuple[StepPlan, ...]:
    found = [
        StepPlan("pretokenizer", "prove the pre-tokenizer by behaviour"),
        StepPlan("export", "write the unquantized reference"),
        StepPlan("reference", "run the reference over the evaluation text"),
        StepPlan("importance", "weigh the columns on the calibration text"),
        StepPlan("export", f"write {scheme}"),
        StepPlan("evaluate", "compare the finished file with its source"),
        StepPlan("measure", "measure it in a fresh process"),
    ]
    with_imatrix = uses_imatrix(situation, scheme)
    return tuple(step for step in found if with_imatrix or step.id != "importance")


def uses_imatrix(situation: Situation, scheme: str) -> bool:
    return wants_imatrix(situation.request, scheme)


def wants_imatrix(request: Request, name: str) -> bool:
    """Whether this scheme is quantized with an importance matrix."""
    if request.imatrix == "default":
        return scheme(name).bits_per_weight < IMATRIX_BELOW_BITS
    return request.imatrix != "none" and scheme(name).bits_per_weight < 16


def settings(situation: Situation) -> tuple[tuple[str, int | str | bool], ...]:
    return ()
