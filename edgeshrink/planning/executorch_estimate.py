"""Predictions for a `.pte`: bytes, peak RAM, speed, and what its export takes on this host. Pure.

The constants were measured with ExecuTorch 1.5.1 on Linux x86-64, on the demo model and random ones of 0.1 to 80
million weights.
"""

from __future__ import annotations

from edgeshrink.core.calibration import MachineCalibration
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import Predictions, TensorPlan
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.core.reading import Estimate, Prediction
from edgeshrink.planning.estimate import (
    NOT_CALIBRATED,
    evaluation_tokens,
    logits_bytes,
    peak_rss_bytes,
    predict_decode,
    predict_ttft,
    reference_bytes,
    weight_count,
)

# Segments of a .pte begin at multiples of this, and each matrix and each set of scales is a segment.
_SEGMENT = 128
# The program itself: once, per layer (instructions and XNNPACK's graph), and more for what not every model has.
_PROGRAM_BYTES = 8_600
_LAYER_BYTES, _QUANTIZED_LAYER_BYTES = 9_700, 13_300
# Core ML's pieces are model folders of their own, one more than there are layers.
_COREML_BYTES, _COREML_LAYER_BYTES, _COREML_QUANTIZED_LAYER_BYTES = 38_000, 63_000, 73_000
_BIAS_BYTES, _HEAD_NORM_BYTES = 450, 1_800
# The measuring process before a model is loaded: Python, torch (which ExecuTorch's bindings import), the tokenizer.
RUNTIME_RSS_BYTES = 244_000_000
# What every loaded program takes beside its weights, cache and planned memory: XNNPACK, its threads.
_LOADED_BYTES = 3_000_000
# Bytes of planned memory that loading touches, per position of the context and width of the model.
_PLANNED_BYTES = 16
# The exporting process before it reads a weight: torch, torchao, executorch.
_EXPORTER_RSS_BYTES = 475_000_000
_EXPORT_S, _LAYER_S, _QUANTIZED_LAYER_S, _MEASURING_S = 12.0, 2.0, 5.0, 30.0


def pte_bytes(tensors: tuple[TensorPlan, ...], layers: int, *, delegate: str = "xnnpack") -> int:
    """Bytes of the finished file."""
    quantizes = _quantizes(tensors)
    once, layer = _PROGRAM_BYTES, _QUANTIZED_LAYER_BYTES if quantizes else _LAYER_BYTES
    if delegate == "coreml":
        once, layer = _COREML_BYTES, _COREML_QUANTIZED_LAYER_BYTES if quantizes else _COREML_LAYER_BYTES
    return once + layers * layer + sum(_stored(tensor) for tensor in tensors)


def _stored(tensor: TensorPlan) -> int:
    extra = 0
    if tensor.name.endswith(".bias"):
        extra = _BIAS_BYTES
    elif tensor.name.endswith(("attn_q_norm.weight", "attn_k_norm.weight")):
        extra = _HEAD_NORM_BYTES
    return extra + -(-tensor.nbytes // _SEGMENT) * _SEGMENT


def _quantizes(tensors: tuple[TensorPlan, ...]) -> bool:
    return any(tensor.type not in ("F32", "F16") for tensor in tensors)


def predict(
    facts: ModelFacts,
    tensors: tuple[TensorPlan, ...],
    *,
    delegate: str,
    tokenizer_bytes: int,
    context: int,
    profile: DeviceProfile,
    calibration: MachineCalibration | None,
    on_this_host: bool,
    prompt_tokens: int,
) -> Predictions:
    """All predictions for one set of tensor types."""
    on_host = calibration if on_this_host else None
    folder = pte_bytes(tensors, facts.n_layers, delegate=delegate) + tokenizer_bytes
    disk = 2 * folder + reference_bytes(tensors) + logits_bytes(facts, weight_count(tensors))
    return Predictions(
        artifact_bytes=Estimate(float(folder), "weights, scales and tables to the byte, the graph by its layers"),
        peak_rss_bytes=_peak_rss(facts, tensors, context, prompt_tokens, on_this_host),
        decode_tok_s=predict_decode(facts, tensors, context, profile, on_host, on_this_host),
        ttft_p95_ms=predict_ttft(facts, tensors, prompt_tokens, on_host, on_this_host),
        build_s=_build_s(facts, tensors, folder, calibration),
        host_ram_bytes=Estimate(
            float(host_ram_bytes(facts, tensors, context=context)), "torch and its float32 weights, or the reference"
        ),
        host_disk_bytes=Estimate(float(disk), "the folder twice (store and output), the reference, its logits"),
    )


def _peak_rss(
    facts: ModelFacts, tensors: tuple[TensorPlan, ...], context: int, prompt_tokens: int, on_this_host: bool
) -> Estimate:
    what = "weights as the delegate packs them + float32 KV cache + activations of a prefill"
    nbytes = resident_bytes(facts, tensors, context=context, prompt_tokens=prompt_tokens)
    if on_this_host:
        return Estimate(float(nbytes), f"{what} + the measuring process (Python, torch)")
    return Estimate(float(nbytes - RUNTIME_RSS_BYTES), f"{what}; the app itself is not counted")


def resident_bytes(facts: ModelFacts, tensors: tuple[TensorPlan, ...], *, context: int, prompt_tokens: int) -> int:
    """Resident peak of one process with the model loaded and a prompt prefilled."""
    cache = 2 * context * facts.kv_bytes_per_token_f16
    planned = _PLANNED_BYTES * context * facts.hidden_size
    activations = 4 * min(max(prompt_tokens, 1), context) * (9 * facts.ffn_size + 4 * facts.hidden_size)
    # XNNPACK packs its weights while it loads: one at a time stands there twice.
    packing = max((tensor.nbytes for tensor in tensors if tensor.name != "token_embd.weight"), default=0)
    loaded = _LOADED_BYTES + pte_bytes(tensors, facts.n_layers) + cache + planned
    return RUNTIME_RSS_BYTES + loaded + max(activations, packing)


def host_ram_bytes(facts: ModelFacts, tensors: tuple[TensorPlan, ...], *, context: int) -> int:
    """Peak of the child that exports, or of the reference in llama.cpp, whichever is larger."""
    cache = 2 * context * facts.kv_bytes_per_token_f16
    floats, file = reference_bytes(tensors), pte_bytes(tensors, facts.n_layers)
    # torchao's codes take a byte for each weight until they are packed; the file is put together in memory.
    held = 1.25 * floats + 1.3 * file if _quantizes(tensors) else floats + 1.8 * file
    export = int(_EXPORTER_RSS_BYTES + held + cache)
    reference = peak_rss_bytes(facts, file_bytes=reference_bytes(tensors), context=512, prompt_tokens=512)
    return max(export, reference + 4 * 512 * facts.vocab_size)


def _build_s(
    facts: ModelFacts, tensors: tuple[TensorPlan, ...], folder: int, calibration: MachineCalibration | None
) -> Prediction:
    if calibration is None:
        return NOT_CALIBRATED
    weights = weight_count(tensors)
    layer = _QUANTIZED_LAYER_S if _quantizes(tensors) else _LAYER_S
    written = 2 * folder + reference_bytes(tensors) + logits_bytes(facts, weights)
    seconds = (
        _EXPORT_S
        + facts.n_layers * layer
        + written / calibration.disk_write_bytes_s
        + 4 * weights * evaluation_tokens(facts.vocab_size, weights) / calibration.prefill_flop_s
        + _MEASURING_S
    )
    return Estimate(seconds, "tracing and lowering by layers, writing, evaluating and 30 s of measuring")
