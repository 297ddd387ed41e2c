"""ONNX: what onnxruntime-genai's model builder makes of every matrix, and the folder's bytes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeshrink.core.plan import Predictions, StepPlan, TensorPlan
from edgeshrink.errors import PlanError, UnsupportedModel
from edgeshrink.planning.mixtures import refuse_mixture
from edgeshrink.planning.onnx_estimate import predict

if TYPE_CHECKING:
    from edgeshrink.planning.resolve import Situation

HEAD, EMBEDDING = "output.weight", "token_embd.weight"
TABLES = ("cos_cache", "sin_cache")
# From fewest bits to most, and which delegate computes it. The builder's float32 graph for CUDA has no attention that
# CUDA's kernels take.
_SCHEMES = {"int4": ("cpu", "cuda"), "int8": ("cpu", "cuda"), "fp16": ("cpu", "cuda"), "fp32": ("cpu",)}
_DELEGATES = ("cpu", "cuda")
_BLOCK_SIZES = (16, 32, 64, 128, 256)
_DEFAULT_BLOCK_SIZE = 32
_QUANTIZED = ("int4", "int8")
_HEAD_MULTIPLE = 16


def scheme_names() -> tuple[str, ...]:
    return tuple(_SCHEMES)


def tensors(situation: Situation, scheme: str) -> tuple[TensorPlan, ...]:
    """Every tensor of the file, under the names that the same tensor has in a GGUF; q, k and v may lie in one.

    UnsupportedModel for a GGUF source and for heads that the kernels do not take; PlanError for --tensor-type, which
    this format has no way to follow.
    """
    facts = situation.facts
    if facts.source.kind != "huggingface":
        raise UnsupportedModel(
            f"{facts.source.path}: an ONNX is made of a Hugging Face folder, not of a GGUF",
            hint="give the folder or the hub id that the GGUF was made of, or build --format gguf",
        )
    refuse_mixture(facts, "ONNX")
    if situation.delegate not in _DELEGATES:
        raise PlanError(f"ONNX has no delegate {situation.delegate!r} here", hint=f"it has: {', '.join(_DELEGATES)}")
    if situation.request.tensor_types:
        raise PlanError(
            "--tensor-type is for GGUF: an ONNX has one type for all matrices",
            hint="leave it out, or build --format gguf",
        )
    if facts.head_dim % _HEAD_MULTIPLE:
        raise UnsupportedModel(
            f"ONNX Runtime's attention takes heads of a multiple of {_HEAD_MULTIPLE}, "
            f"this model's have {facts.head_dim}",
            hint="build --format gguf or executorch",
        )
    if situation.delegate not in _SCHEMES[scheme]:
        able = [name for name, delegates in _SCHEMES.items() if situation.delegate in delegates]
        raise PlanError(
            f"the {situation.delegate} delegate does not compute {scheme}", hint=f"it computes: {', '.join(able)}"
        )
    half = situation.delegate == "cuda"
    placed = [
        TensorPlan(entry.name, entry.source, entry.shape, *_type(entry, scheme, situation, half=half))
        for entry in situation.layout
        if entry.source
    ]
    table = (situation.context, facts.head_dim // 2)
    return (*placed, *(TensorPlan(name, "", table, "F16" if half else "F32", "rotary positions") for name in TABLES))


def predictions(situation: Situation, scheme: str, tensors: tuple[TensorPlan, ...]) -> Predictions:
    return predict(
        situation.facts,
        tensors,
        scheme=scheme,
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
        StepPlan("export", f"build {scheme} for {situation.delegate} with onnxruntime-genai's model builder"),
        StepPlan("evaluate", "compare the finished file with its source"),
        StepPlan("measure", "measure it in a fresh process"),
    )


def uses_imatrix(situation: Situation, scheme: str) -> bool:
    return False


def settings(situation: Situation) -> tuple[tuple[str, int | str | bool], ...]:
    """`block_size`: weights that share a scale. `algorithm`: the search for scales of 4-bit blocks."""
    given = situation.format.parameters
    for name in given:
        if name != "block_size":
            raise PlanError(f"target {situation.target.id}: onnx has no parameter {name!r}", hint="it has: block_size")
    return (("block_size", _block_size(situation)), ("algorithm", _algorithm(situation)))


def _type(entry: TensorPlan, scheme: str, situation: Situation, *, half: bool) -> tuple[str, str]:
    if len(entry.shape) == 1:
        return ("F16" if half else "F32"), "vectors stay as they are computed with"
    if scheme == "fp16" and not half:
        return "F16", "stored in half precision, computed in float32"
    if scheme not in _QUANTIZED:
        return ("F32" if scheme == "fp32" else "F16"), f"all of {scheme}"
    searched = scheme == "int4" and _algorithm(situation) == "k_quant"
    tied = situation.facts.tied_embeddings
    of_head = entry.name == HEAD or (entry.name == EMBEDDING and tied)
    zero = "z" if searched and (of_head or entry.name != EMBEDDING) else ""
    bits = "8" if scheme == "int8" or of_head or entry.name == EMBEDDING else "4"
    name = f"int{bits}{zero}{'h' if half else ''}/{_block_size(situation)}"
    if scheme == "int4" and bits == "8":
        return name, "8 bits: what meets every token" + (", input and output share it" if of_head and tied else "")
    return name, f"all of {scheme}"


def _block_size(situation: Situation) -> int:
    value = situation.format.parameters.get("block_size", _DEFAULT_BLOCK_SIZE)
    if isinstance(value, bool) or value not in _BLOCK_SIZES:
        sizes = ", ".join(str(size) for size in _BLOCK_SIZES)
        raise PlanError(f"target {situation.target.id}: block_size is {value}", hint=f"it may be {sizes}")
    return int(value)


def _algorithm(situation: Situation) -> str:
    """k-quants' search (a quarter less divergence on the demo model), where zero points fill whole bytes.

    onnxruntime's packs the zero points of an odd number of blocks across rows, which its own kernel does not read.
    """
    size = _block_size(situation)
    matrices = (entry for entry in situation.layout if len(entry.shape) > 1 and entry.name != EMBEDDING)
    odd = any(-(-entry.shape[-1] // size) % 2 for entry in matrices)
    return "rtn" if odd else "k_quant"
