"""ExecuTorch: torchao's types for every matrix, the `.pte` within 2 %, and what its export takes. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import Predictions, StepPlan, TensorPlan
from edgeshrink.core.quant_types import storage_type
from edgeshrink.errors import PlanError, UnsupportedModel
from edgeshrink.planning.executorch_estimate import predict, pte_bytes
from edgeshrink.planning.mixtures import refuse_mixture

if TYPE_CHECKING:
    from edgeshrink.planning.resolve import Situation

__all__ = ["predictions", "pte_bytes", "scheme_names", "settings", "steps", "tensors", "uses_imatrix"]

HEAD, EMBEDDING = "output.weight", "token_embd.weight"
# From fewest bits to most, and the delegates that compute it. "8da4w": activations quantized to 8 bits while they
# run, weights of 4 bits; "4w": the same weights, float activations.
_SCHEMES = {
    "8da4w": ("xnnpack",),
    "4w": ("coreml", "vulkan"),
    "8da8w": ("xnnpack",),
    "fp16": ("coreml",),
    "fp32": ("xnnpack", "vulkan"),
}
_DELEGATES = ("xnnpack", "coreml", "vulkan")
_GROUPS = (32, 64, 128, 256)
_DEFAULTS: dict[str, int] = {"group_size": 32, "embedding_bits": 8}
_ALLOWED = {"group_size": _GROUPS, "embedding_bits": (4, 8)}
_LINEAR_TYPES = ("i4g32", "i4g64", "i4g128", "i4g256", "i8row", "F32")
_EMBEDDING_TYPES = ("i4g32f", "i8row", "F32")


def scheme_names() -> tuple[str, ...]:
    return tuple(_SCHEMES)


def tensors(situation: Situation, scheme: str) -> tuple[TensorPlan, ...]:
    """Every tensor of the file, under the names that the same tensor has in a GGUF.

    UnsupportedModel for a GGUF source; PlanError where the delegate does not compute the scheme.
    """
    facts = situation.facts
    if facts.source.kind == "gguf":
        raise UnsupportedModel(
            f"{facts.source.path}: ExecuTorch files are exported from a Hugging Face folder, not from a GGUF",
            hint="give the folder (config.json and *.safetensors) that the GGUF was made from",
        )
    refuse_mixture(facts, "ExecuTorch")
    _check_delegate(situation.delegate, scheme)
    chosen = dict(settings(situation))
    overrides = _compiled(situation)
    kept = [entry for entry in situation.layout if entry.source]
    if facts.tied_embeddings:
        table = next(entry for entry in kept if entry.name == EMBEDDING)
        kept.append(TensorPlan(HEAD, table.source, table.shape, "F32", ""))
    found = [_typed(entry, scheme, chosen, overrides) for entry in kept]
    if situation.delegate == "vulkan":
        found = [_wide_scales(tensor) for tensor in found]
    if facts.tied_embeddings and situation.delegate != "coreml":
        found = _shared(found)
    return (*found, *_computed(facts, situation.context, situation.delegate))


def _shared(tensors: list[TensorPlan]) -> list[TensorPlan]:
    """Without the head where it stays float as the table does: one table is looked up and multiplied with."""
    head, table = tensors[-1], next(tensor for tensor in tensors if tensor.name == EMBEDDING)
    if head.type != "F32" or table.type != "F32":
        return tensors
    why = f"{table.why}; looked up and multiplied: one table"
    return [replace(tensor, why=why) if tensor is table else tensor for tensor in tensors[:-1]]


def predictions(situation: Situation, scheme: str, tensors: tuple[TensorPlan, ...]) -> Predictions:
    return predict(
        situation.facts,
        tensors,
        delegate=situation.delegate,
        tokenizer_bytes=situation.tokenizer_bytes,
        context=situation.context,
        profile=situation.profile,
        calibration=situation.calibration,
        on_this_host=situation.on_this_host,
        prompt_tokens=situation.profile.budget.ttft_prompt_tokens,
    )


def steps(situation: Situation, scheme: str) -> tuple[StepPlan, ...]:
    return (
        StepPlan("export", "write the unquantized reference"),
        StepPlan("reference", "run the reference over the evaluation text"),
        StepPlan("export", f"quantize to {scheme}, trace, lower to {situation.delegate}, write model.pte"),
        StepPlan("evaluate", "compare the finished file with its source"),
        StepPlan("measure", "measure it in a fresh process"),
    )


def uses_imatrix(situation: Situation, scheme: str) -> bool:
    return False


def settings(situation: Situation) -> tuple[tuple[str, int | str | bool], ...]:
    given = situation.format.parameters
    for name, value in given.items():
        if name not in _DEFAULTS:
            raise PlanError(
                f"target {situation.target.id}: executorch has no parameter {name!r}",
                hint=f"it has: {', '.join(_DEFAULTS)}",
            )
        if value not in _ALLOWED[name]:
            raise PlanError(
                f"target {situation.target.id}: {name} is {value}",
                hint=f"it may be {', '.join(str(number) for number in _ALLOWED[name])}",
            )
    return tuple((name, given.get(name, default)) for name, default in _DEFAULTS.items())


def _check_delegate(delegate: str, scheme: str) -> None:
    if delegate not in _DELEGATES:
        raise PlanError(f"ExecuTorch has no delegate {delegate!r} here", hint=f"it has: {', '.join(_DELEGATES)}")
    if delegate not in _SCHEMES[scheme]:
        able = [name for name, delegates in _SCHEMES.items() if delegate in delegates]
        raise PlanError(f"the {delegate} delegate does not compute {scheme}", hint=f"it computes: {', '.join(able)}")


def _typed(
    entry: TensorPlan,
    scheme: str,
    chosen: dict[str, int | str | bool],
    overrides: tuple[tuple[re.Pattern[str], str], ...],
) -> TensorPlan:
    type, why = _type(entry, scheme, chosen)
    for pattern, wanted in overrides:
        if len(entry.shape) > 1 and pattern.search(entry.name):
            type, why = _fitting(entry, wanted, f"--tensor-type {pattern.pattern}={wanted}")
    return TensorPlan(entry.name, entry.source, entry.shape, type, why)


def _type(entry: TensorPlan, scheme: str, chosen: dict[str, int | str | bool]) -> tuple[str, str]:
    if len(entry.shape) == 1:
        return "F32", "one-dimensional tensors stay F32"
    if scheme == "fp32":
        return "F32", "fp32 base type"
    if scheme == "fp16":
        return "F16", "fp16 base type"
    if entry.name == EMBEDDING:
        if chosen["embedding_bits"] == 4:
            return _fitting(entry, "i4g32f", "embedding_bits 4: looked up, never multiplied")
        return "i8row", "embedding_bits 8: looked up, never multiplied"
    if scheme == "8da8w":
        return "i8row", "8da8w base type"
    return _fitting(entry, f"i4g{chosen['group_size']}", f"{scheme} base type")


def _fitting(entry: TensorPlan, type: str, why: str) -> tuple[str, str]:
    """Type and reason after the largest smaller group that divides the row; 8 bits where none does."""
    row = entry.shape[-1]
    if storage_type(type).takes_row(row):
        return type, why
    groups = [size for size in reversed(_GROUPS) if row % size == 0 and size <= storage_type(type).block_elements]
    if groups and not type.endswith("f"):
        return f"i4g{groups[0]}", f"groups of {groups[0]}: rows of {row} are not a multiple of {type[3:]}"
    return "i8row", f"8 bits: rows of {row} are not a multiple of {_GROUPS[0]}"


def _wide_scales(tensor: TensorPlan) -> TensorPlan:
    """Vulkan keeps the scales of groups as float32."""
    grouped = tensor.type.startswith("i4g") and not tensor.type.endswith("f")
    return replace(tensor, type=f"{tensor.type}f") if grouped else tensor


def _computed(facts: ModelFacts, context: int, delegate: str) -> tuple[TensorPlan, ...]:
    half, width = facts.head_dim // 2, facts.n_kv_heads * facts.head_dim
    tables = TensorPlan("rotary_tables", "", (2, context, half), "F32", "computed from the configuration")
    if delegate == "xnnpack":
        row = (1, facts.hidden_size)
        return (tables, TensorPlan("norm_mean_row", "", row, "F32", "1/n: a norm's mean as a product"))
    if delegate == "vulkan":
        return (tables, TensorPlan("cache_zeros", "", (context, width), "F32", "Vulkan stores what a cache begins as"))
    return (tables,)


def _compiled(situation: Situation) -> tuple[tuple[re.Pattern[str], str], ...]:
    names = [entry.name for entry in situation.layout if len(entry.shape) > 1] + [HEAD]
    compiled = []
    for expression, type in situation.request.tensor_types:
        given = f"--tensor-type {expression}={type}"
        try:
            pattern = re.compile(expression)
        except re.error as error:
            raise PlanError(f"{given}: {error}", hint="write a regular expression on tensor names, as attn_v") from None
        found = [name for name in names if pattern.search(name)]
        if not found:
            hint = "the plan lists the names; norms and biases (1-D tensors) always stay F32"
            raise PlanError(f"{given}: matches no matrix of this model", hint=hint)
        wanted = next((name for name in _LINEAR_TYPES + _EMBEDDING_TYPES if name.lower() == type.lower()), None)
        if wanted is None:
            raise PlanError(f"{given}: ExecuTorch has no such type", hint=f"known types: {', '.join(_LINEAR_TYPES)}")
        for name in found:
            allowed = _EMBEDDING_TYPES if name == EMBEDDING else _LINEAR_TYPES
            if wanted not in allowed:
                raise PlanError(f"{given}: {name} cannot be {wanted}", hint=f"it can be {', '.join(allowed)}")
        compiled.append((pattern, wanted))
    return tuple(compiled)
