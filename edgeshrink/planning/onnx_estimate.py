"""Predictions for an ONNX folder: bytes, peak RAM, speed, and what its export takes on this host. Pure.

The constants were measured with onnxruntime 1.31.1, onnxruntime-genai 0.18.0 and transformers 5.23.0 on models of
0.3 M to 100 M weights in all four schemes; tests/unit/planning/test_onnx_plan.py holds the bytes to built folders.
"""

from __future__ import annotations

from edgeshrink.core.architectures import ARCHITECTURES
from edgeshrink.core.calibration import MachineCalibration
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import Predictions, TensorPlan
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.core.quant_types import storage_type
from edgeshrink.core.reading import Estimate, Prediction, Unmeasured
from edgeshrink.planning.estimate import (
    MICRO_BATCH,
    NOT_CALIBRATED,
    evaluation_tokens,
    logits_bytes,
    peak_rss_bytes,
    predict_decode,
    predict_ttft,
    reference_bytes,
    weight_count,
)

# model.onnx holds the graph alone: bytes of what it has once, of a layer, of an addition of a bias, of q and k norms.
_GRAPH_BYTES = {"fp32": 3450, "fp16": 3680, "int8": 4020, "int4": 4200}
_LAYER_BYTES = {"fp32": 5490, "fp16": 6370, "int8": 7260, "int4": 8430}
_BIAS_BYTES = 440
_QK_NORM_BYTES = 3110
_CONFIG_BYTES = 1230  # genai_config.json
# The measuring child with onnxruntime-genai and a tiny model: Python, numpy and both libraries' touched pages.
_RUNTIME_RSS_BYTES = 68 << 20
# onnxruntime's arena keeps the regions that shorter prompts got: prompts of four lengths, one after the other.
_ARENA_BYTES = 9 << 20
# Kernels keep quantized weights packed their own way, in arenas that grow in steps.
_PACKED = 1.08
# The exporting child before it reads a weight: torch, transformers, onnxruntime, and its graph of objects.
_EXPORTER_RSS_BYTES = 490 << 20
_EXPORT_S = 8.0
# Cost of one weight relative to ggml's Q4_K: the builder's k-quant search is numpy.
_RELATIVE_COST = {"int4": 2.0, "int8": 0.4, "fp16": 0.4, "fp32": 0.2}
_MEASURING_S = 30.0


def predict(
    facts: ModelFacts,
    tensors: tuple[TensorPlan, ...],
    *,
    scheme: str,
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
    folder = folder_bytes(facts, tensors, scheme=scheme, tokenizer_bytes=tokenizer_bytes)
    disk = 3 * folder + reference_bytes(tensors) + logits_bytes(facts, weight_count(tensors))
    if scheme == "fp16":
        disk += reference_bytes(tensors)
    return Predictions(
        artifact_bytes=Estimate(float(folder), "every tensor to the byte, the graph by its layers"),
        peak_rss_bytes=_peak_rss(facts, tensors, scheme, delegate, context),
        decode_tok_s=predict_decode(facts, tensors, context, profile, on_host, on_this_host),
        ttft_p95_ms=predict_ttft(facts, tensors, prompt_tokens, on_host, on_this_host),
        build_s=_build_s(facts, tensors, scheme, folder, calibration),
        host_ram_bytes=Estimate(float(host_ram_bytes(facts, tensors, scheme)), "the model builder, or the reference"),
        host_disk_bytes=Estimate(
            float(disk), "the folder three times (builder, store, output), the reference, its logits"
        ),
    )


def folder_bytes(facts: ModelFacts, tensors: tuple[TensorPlan, ...], *, scheme: str, tokenizer_bytes: int) -> int:
    """Bytes of all files together."""
    row = ARCHITECTURES[facts.model_type]
    biases = 1 * row.has(row.qkv_bias, facts.config) + 1 * row.has(row.output_bias, facts.config)
    biases += 3 * row.has(row.mlp_bias, facts.config)
    layer = _LAYER_BYTES[scheme] + biases * _BIAS_BYTES + row.qk_norm * _QK_NORM_BYTES
    graph = _GRAPH_BYTES[scheme] + facts.n_layers * layer
    return sum(tensor.nbytes for tensor in tensors) + graph + _CONFIG_BYTES + tokenizer_bytes


def _peak_rss(
    facts: ModelFacts, tensors: tuple[TensorPlan, ...], scheme: str, delegate: str, context: int
) -> Prediction:
    """Prompts of any length are prefilled in pieces of up to MICRO_BATCH tokens; every one of them gets its logits."""
    if delegate != "cpu":
        return Unmeasured(f"what the {delegate} provider keeps in host memory was never measured")
    prefill = 4 * min(MICRO_BATCH, context) * (2 * facts.vocab_size + 3 * facts.ffn_size)
    cache = 2 * context * facts.kv_bytes_per_token_f16
    loading, loaded = resident_bytes(facts, tensors, scheme)
    peak = _RUNTIME_RSS_BYTES + cache + max(loading, loaded + prefill + _ARENA_BYTES)
    return Estimate(float(peak), "weights as the kernels keep them + float32 KV cache + logits of a prefill + runtime")


def resident_bytes(facts: ModelFacts, tensors: tuple[TensorPlan, ...], scheme: str) -> tuple[int, int]:
    """Bytes of weights in memory while a session is made, and after."""
    sizes = {tensor.name: tensor.nbytes for tensor in tensors}
    embedding = next((tensor for tensor in tensors if tensor.name == "token_embd.weight"), None)
    table = 0 if embedding is None else embedding.elements
    if scheme in ("int4", "int8"):
        # Tied: the output's kernel packs its codes, the embedding's reads a reshaped copy; both beside the file's.
        copies = 2 * table if facts.tied_embeddings else 0
        loaded = int(_PACKED * sum(sizes.values())) + copies
        return loaded, loaded
    loaded = 4 * sum(tensor.elements for tensor in tensors) + (4 * table if facts.tied_embeddings else 0)
    if scheme == "fp32":  # an embedding that is only looked up stays in the file, but for the rows that are read
        loaded -= 0 if facts.tied_embeddings else 4 * table
        return loaded, loaded
    largest = 4 * max(tensor.elements for tensor in tensors)
    return loaded + 2 * largest, loaded + largest  # casts are folded when the session is made


def host_ram_bytes(facts: ModelFacts, tensors: tuple[TensorPlan, ...], scheme: str) -> int:
    """Peak of the child that exports, or of the reference in llama.cpp, whichever is larger."""
    source = sum(tensor.elements for tensor in tensors) * storage_type(facts.dtype).block_bytes
    largest = 8 * max(tensor.elements for tensor in tensors)
    export = _EXPORTER_RSS_BYTES + source + largest
    if scheme in ("int4", "int8"):  # onnxruntime's quantizer holds the float graph and the result
        export += reference_bytes(tensors) + sum(tensor.nbytes for tensor in tensors)
    elif scheme == "fp16":
        export += reference_bytes(tensors)  # mapped from the float32 file on its way
    reference = peak_rss_bytes(facts, file_bytes=reference_bytes(tensors), context=512, prompt_tokens=512)
    return max(export, reference + 4 * 512 * facts.vocab_size)


def _build_s(
    facts: ModelFacts,
    tensors: tuple[TensorPlan, ...],
    scheme: str,
    folder: int,
    calibration: MachineCalibration | None,
) -> Prediction:
    if calibration is None:
        return NOT_CALIBRATED
    weights = weight_count(tensors)
    written = 3 * folder + 2 * reference_bytes(tensors) + logits_bytes(facts, weights)
    seconds = (
        _EXPORT_S
        + _RELATIVE_COST[scheme] * weights / calibration.quantize_weights_s
        + written / calibration.disk_write_bytes_s
        + 4 * weights * evaluation_tokens(facts.vocab_size, weights) / calibration.prefill_flop_s
        + _MEASURING_S
    )
    return Estimate(seconds, "the model builder, writing, evaluating and 30 s of measuring")
