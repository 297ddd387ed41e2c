"""Predictions from a plan: bytes, peak RAM, speed, and what the build takes on this host.

Decode is bound by reading the weights once per token (the roofline of Williams et al., "Roofline: an insightful
visual performance model", CACM 2009), so its time is bytes / bandwidth plus a fixed overhead per step. Weights
that stay in the last-level cache are read at the cache's speed: fully while they fit, not at all from twice the
cache's size on, and in proportion between.
"""

from __future__ import annotations

from edgeshrink.core.calibration import MachineCalibration
from edgeshrink.core.model import Experts, ModelFacts
from edgeshrink.core.plan import Predictions, TensorPlan
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.core.reading import Estimate, Prediction, Unmeasured
from edgeshrink.planning.mixtures import active_bytes, active_elements

# Public figures for llama.cpp on small boards: 84-91 % of read-only STREAM, and STREAM itself reaches about 80 %
# of a data sheet's bandwidth.
DATASHEET_EFFICIENCY = 0.7
# What a decode step costs beside reading weights, per layer: about ten graph nodes to start and to join threads on.
LAYER_OVERHEAD_S = 30e-6
# The measuring child: Python, numpy and libllama, before a model is loaded (smaps of an idle child).
RUNTIME_RSS_BYTES = 62 << 20
# libllama's micro-batch: activations of this many positions are alive at once in prefill.
MICRO_BATCH = 512
NOT_CALIBRATED = Unmeasured("this machine is not calibrated yet: run `edgeshrink doctor` or a build")


def predict(
    facts: ModelFacts,
    tensors: tuple[TensorPlan, ...],
    *,
    file_bytes: int,
    context: int,
    profile: DeviceProfile,
    calibration: MachineCalibration | None,
    on_this_host: bool,
    prompt_tokens: int,
    uses_imatrix: bool,
) -> Predictions:
    """All predictions for one set of tensor types."""
    on_host = calibration if on_this_host else None
    return Predictions(
        artifact_bytes=Estimate(float(file_bytes), "header and every tensor, to the byte"),
        peak_rss_bytes=Estimate(
            float(
                peak_rss_bytes(facts, file_bytes=file_bytes, context=context, prompt_tokens=prompt_tokens)
                + repacked_bytes(tensors, profile.facts.isa_features.value)
            ),
            "file + repacked copy + KV cache + compute buffers + runtime",
        ),
        decode_tok_s=predict_decode(facts, tensors, context, profile, on_host, on_this_host),
        ttft_p95_ms=predict_ttft(facts, tensors, prompt_tokens, on_host, on_this_host),
        build_s=_build_s(tensors, file_bytes, facts, calibration, uses_imatrix),
        host_ram_bytes=Estimate(float(_host_ram_bytes(facts, tensors)), "the reference, in its runtime"),
        host_disk_bytes=Estimate(
            float(2 * file_bytes + reference_bytes(tensors) + logits_bytes(facts, weight_count(tensors))),
            "artifact twice (store and output), the reference, its logits",
        ),
    )


def peak_rss_bytes(facts: ModelFacts, *, file_bytes: int, context: int, prompt_tokens: int) -> int:
    """Resident peak of one process with the model loaded and a prompt prefilled."""
    batch = min(MICRO_BATCH, max(prompt_tokens, 1))
    widest = max(2 * _ffn_width(facts), facts.hidden_size * 6, facts.n_heads * facts.head_dim * 3)
    compute = 4 * (batch * widest + facts.vocab_size)
    return file_bytes + context * facts.kv_bytes_per_token_f16 + compute + RUNTIME_RSS_BYTES


def _ffn_width(facts: ModelFacts) -> int:
    """Channels of a token inside one layer's feed-forward: of all the experts it is sent to."""
    if facts.experts is None:
        return facts.ffn_size
    return max(facts.experts.used * max(facts.experts.ffn, facts.hidden_size), facts.experts.shared_ffn)


# Types that llama.cpp's CPU backend copies into an interleaved layout when it loads them, by the feature that its
# kernels want (ggml-cpu/repack.cpp): the copy is anonymous memory, beside the mapped file.
_REPACKED = {
    "avx2": ("Q4_0", "Q4_K", "IQ4_NL"),
    "avx512f": ("Q4_0", "Q4_K", "IQ4_NL", "Q2_K"),
    "asimddp": ("Q4_0", "Q4_K", "Q5_K", "Q6_K"),
    "i8mm": ("Q4_0", "Q4_K", "Q5_K", "Q6_K"),
}
_REPACKED_ROWS = 8


def repacked_bytes(tensors: tuple[TensorPlan, ...], isa_features: tuple[str, ...]) -> int:
    """Bytes of the second copy that llama.cpp keeps of the matrices that its CPU kernels want interleaved."""
    types = {kind for feature in isa_features for kind in _REPACKED.get(feature, ())}
    tied = not any(tensor.name == "output.weight" for tensor in tensors)
    return sum(
        tensor.nbytes
        for tensor in tensors
        if tensor.type in types
        and len(tensor.shape) > 1
        and tensor.shape[-2] % _REPACKED_ROWS == 0
        and (tied or tensor.name != "token_embd.weight")
    )


def bytes_per_token(tensors: tuple[TensorPlan, ...], experts: Experts | None = None) -> int:
    """Weight bytes that one decode step reads: all, but of an untied embedding table only one row, and of routed
    experts those that are used."""
    tied = not any(tensor.name == "output.weight" for tensor in tensors)
    return active_bytes((tensor for tensor in tensors if tied or tensor.name != "token_embd.weight"), experts)


def decode_seconds(weight_bytes: float, n_layers: int, calibration: MachineCalibration) -> float:
    """Seconds of one decode step on a calibrated machine; the part beside reading weights grows with the layers."""
    cache = max(calibration.cache_bytes, 1)
    cached_share = min(1.0, max(0.0, 2 - weight_bytes / cache))
    return (
        calibration.decode_overhead_s * n_layers / calibration.overhead_layers
        + weight_bytes * cached_share / calibration.cache_read_bytes_s
        + weight_bytes * (1 - cached_share) / calibration.dram_read_bytes_s
    )


def predict_decode(
    facts: ModelFacts,
    tensors: tuple[TensorPlan, ...],
    context: int,
    profile: DeviceProfile,
    calibration: MachineCalibration | None,
    on_this_host: bool,
) -> Prediction:
    moved = bytes_per_token(tensors, facts.experts) + facts.kv_bytes_per_token_f16 * min(context, 512) / 2
    if calibration is not None:
        return Estimate(
            1 / decode_seconds(moved, facts.n_layers, calibration),
            "roofline with a cache term, this machine's calibration",
        )
    if on_this_host:
        return NOT_CALIBRATED
    bandwidth = profile.facts.memory_bandwidth_bytes_s
    if bandwidth is None:
        return Unmeasured(f"the profile {profile.id} states no memory bandwidth")
    seconds = moved / (DATASHEET_EFFICIENCY * bandwidth.value) + facts.n_layers * LAYER_OVERHEAD_S
    return Estimate(1 / seconds, f"roofline at {DATASHEET_EFFICIENCY:.0%} of the data sheet's bandwidth")


def predict_ttft(
    facts: ModelFacts,
    tensors: tuple[TensorPlan, ...],
    prompt_tokens: int,
    calibration: MachineCalibration | None,
    on_this_host: bool,
) -> Prediction:
    if calibration is None:
        return NOT_CALIBRATED if on_this_host else Unmeasured("prefill speed of this device is not known")
    matrices = (tensor for tensor in tensors if len(tensor.shape) > 1 and tensor.name != "token_embd.weight")
    weights = active_elements(matrices, facts.experts)
    attention = 2 * facts.n_layers * facts.n_heads * facts.head_dim * prompt_tokens
    flop = prompt_tokens * (2 * weights + attention)
    seconds = flop / calibration.prefill_flop_s + decode_seconds(bytes_per_token(tensors), facts.n_layers, calibration)
    return Estimate(1000 * seconds, "multiply-adds at the calibrated prefill speed")


# Cost of one weight relative to Q4_K, from timing ggml_quantize_chunk on this kind of machine (tools/bench/convert.py).
_RELATIVE_COST = {"F32": 0.01, "F16": 0.02, "BF16": 0.01, "Q8_0": 0.1, "IQ4_NL": 3.0, "IQ4_XS": 3.0}


def _build_s(
    tensors: tuple[TensorPlan, ...],
    file_bytes: int,
    facts: ModelFacts,
    calibration: MachineCalibration | None,
    uses_imatrix: bool,
) -> Prediction:
    if calibration is None:
        return NOT_CALIBRATED
    quantize = sum(tensor.elements * _RELATIVE_COST.get(tensor.type, 1.0) for tensor in tensors)
    weights = weight_count(tensors)
    written = file_bytes * 2 + reference_bytes(tensors) + logits_bytes(facts, weights)
    # Evaluation reads the same tokens through reference and candidate; the importance matrix reads its own once.
    tokens = 2 * evaluation_tokens(facts.vocab_size, weights) + (CALIBRATION_TOKENS if uses_imatrix else 0)
    measuring = 30.0
    seconds = (
        quantize / calibration.quantize_weights_s
        + written / calibration.disk_write_bytes_s
        + 2 * active_elements(tensors, facts.experts) * tokens / calibration.prefill_flop_s
        + measuring
    )
    return Estimate(seconds, "quantizing, writing, evaluating and 30 s of measuring")


CALIBRATION_TOKENS = 16384
EVALUATION_TOKENS = 8192
EVALUATION_FLOP = 1e13
LOGITS_FILE_BYTES = 512 << 20
EXACT_TOKENS = 256
TAIL_LEVELS = 16
"""How the reference's next-token distributions are stored (`evaluate.compact`): so many tokens exactly, one of so many
levels for every other."""


def reference_row_bytes(vocab_size: int) -> int:
    """What one scored position of the stored reference takes: 78 kB at 152k tokens, an eighth of float32."""
    return 8 * min(EXACT_TOKENS, vocab_size) + 4 * TAIL_LEVELS + (vocab_size + 1) // 2 + 24


def evaluation_tokens(vocab_size: int, weights: int) -> int:
    """How many tokens are run to compare: within 8,192, 1e13 operations, and 512 MiB stored for every second one."""
    stored = 2 * LOGITS_FILE_BYTES // reference_row_bytes(vocab_size)
    return max(MICRO_BATCH, min(EVALUATION_TOKENS, stored, int(EVALUATION_FLOP / (2 * weights))))


def logits_bytes(facts: ModelFacts, weights: int) -> int:
    return reference_row_bytes(facts.vocab_size) * evaluation_tokens(facts.vocab_size, weights) // 2


def reference_bytes(tensors: tuple[TensorPlan, ...]) -> int:
    """Bytes of the unquantized reference, F32: llama.cpp rounds activations to the type of half-precision weights."""
    return 4 * sum(tensor.elements for tensor in tensors)


def weight_count(tensors: tuple[TensorPlan, ...]) -> int:
    """Weights of all matrices: those that a token passes through, but for experts that it is not sent to."""
    return sum(tensor.elements for tensor in tensors if len(tensor.shape) > 1)


def _host_ram_bytes(facts: ModelFacts, tensors: tuple[TensorPlan, ...]) -> int:
    reference = peak_rss_bytes(facts, file_bytes=reference_bytes(tensors), context=512, prompt_tokens=512)
    return reference + 4 * 512 * facts.vocab_size
