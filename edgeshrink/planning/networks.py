"""Predictions for networks (encoders, classifiers, any module) in ONNX and ExecuTorch. Pure.

The constants were read off files and processes of two networks, a ResNet-20 for CIFAR-10 (0.27 M parameters) and a
BERT encoder of 6 layers, 384 wide (12.5 M), written and run here with onnxruntime 1.31 and ExecuTorch 1.5: between them
lies what depends on parameters, under them what does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgeshrink.core.network import NetworkFacts, Port
from edgeshrink.core.plan import Predictions
from edgeshrink.core.reading import Estimate, Unmeasured
from edgeshrink.errors import PlanError
from edgeshrink.planning.network_schemes import network_schemes

__all__ = ["artifact_bytes", "network_schemes", "predict_network"]

_KB, _MB = 1 << 10, 1 << 20
# Scales of the output channels of a weight, beside its int8 values.
_SCALES_SHARE = 0.004
# A dimension that varies, where nothing limits it further: a sentence or two of tokens.
_DYNAMIC_SIZE = 128
# Tensors of the size of all inputs and outputs together that are alive at once between them.
_ALIVE = 32
_NO_TOKENS = Unmeasured("a network generates no tokens")


@dataclass(frozen=True, slots=True)
class _Format:
    """What was seen of one format: bytes, and bytes for each byte of the file (or of the float weights).

    `graph_bytes`: of a float file beside its weights; `quantized_graph_bytes`: of an int8 one, by scheme.
    `runtime_rss`: a process with the runtime, before and beside the network. `resident`: memory per byte of the
    file, by scheme: what the runtime unpacks, and holds twice. `export_rss`, `export_share`: the exporting child and
    its growth per byte of float weights.
    """

    graph_bytes: int
    quantized_graph_bytes: dict[str, int]
    runtime_rss: int
    resident: dict[str, float]
    export_rss: int
    export_share: float


_FORMATS = {
    "onnx": _Format(
        graph_bytes=10 * _KB,
        quantized_graph_bytes={"int8": 41 * _KB, "int8-dynamic": 16 * _KB, "int8-weight": 15 * _KB},
        runtime_rss=62 * _MB,
        resident={"int8": 1.8, "int8-dynamic": 1.9, "int8-weight": 2.2, "fp16": 2.6, "fp32": 1.3},
        export_rss=430 * _MB,
        export_share=6.5,
    ),
    "executorch": _Format(
        graph_bytes=20 * _KB,
        quantized_graph_bytes={"int8": 41 * _KB, "int8-dynamic": 31 * _KB, "int8-weight": 31 * _KB},
        runtime_rss=226 * _MB,
        resident={"int8": 3.1, "int8-dynamic": 3.1, "int8-weight": 3.1, "fp32": 1.6},
        export_rss=450 * _MB,
        export_share=5.0,
    ),
}
# An ONNX file as the source: no torch, the quantizer only.
_QUANTIZER_RSS, _QUANTIZER_SHARE = 80 * _MB, 9.3
# Importing, exporting, quantizing, comparing on a machine with two cores; then measuring.
_EXPORT_S, _MEASURING_S = {"onnx": 25.0, "executorch": 60.0}, 30.0
_BYTES_PER_S = 4e6


def predict_network(facts: NetworkFacts, *, format: str, scheme: str, on_this_host: bool = True) -> Predictions:
    """What a network's file takes, and its making; PlanError for a format or a scheme that there is not.

    Elsewhere than on this host no Python process runs it: then the runtime's own memory is not counted.
    """
    file = artifact_bytes(facts, format=format, scheme=scheme)
    seen, floats = _FORMATS[format], 4 * facts.parameters
    rss = seen.resident[scheme] * file + activation_bytes(facts)
    held = "weights as the runtime unpacks them + activations of one input"
    if on_this_host:
        rss, held = rss + seen.runtime_rss, f"{held} + the measuring process"
    else:
        held += "; the app itself is not counted"
    if facts.source.kind == "onnx":
        host = _QUANTIZER_RSS + _QUANTIZER_SHARE * floats
    else:
        host = seen.export_rss + seen.export_share * floats
    slow = Unmeasured("the speed of a network is not predicted: measure it")
    return Predictions(
        artifact_bytes=Estimate(float(file), "weights by scheme, scales, and a graph of usual size"),
        peak_rss_bytes=Estimate(float(round(rss)), held),
        decode_tok_s=_NO_TOKENS,
        ttft_p95_ms=slow,
        build_s=Estimate(_EXPORT_S[format] + floats / _BYTES_PER_S + _MEASURING_S, "exports of two networks, 2 cores"),
        host_ram_bytes=Estimate(float(round(host)), "the exporting process, by bytes of float weights"),
        host_disk_bytes=Estimate(float(floats + 2 * file), "the float file, the artifact twice (store and output)"),
    )


def artifact_bytes(facts: NetworkFacts, *, format: str, scheme: str) -> int:
    """Bytes of the file; PlanError for a format or a scheme that there is not."""
    known = network_schemes(format)
    if scheme not in known:
        raise PlanError(f"{format} has no scheme {scheme!r} for networks", hint=f"its schemes: {', '.join(known)}")
    seen = _FORMATS[format]
    if scheme == "fp32":
        return 4 * facts.parameters + seen.graph_bytes
    if scheme == "fp16":
        return 2 * facts.parameters + seen.graph_bytes
    rest = 4 * (facts.parameters - facts.weight_elements)
    return round(facts.weight_elements * (1 + _SCALES_SHARE)) + rest + seen.quantized_graph_bytes[scheme]


def activation_bytes(facts: NetworkFacts) -> int:
    """What one run holds beside the weights: a guess from the sizes of inputs and outputs, 4 bytes an element."""
    limits = {name: highest for name, _, highest in facts.limits}
    return 4 * _ALIVE * sum(_elements(port, limits) for port in (*facts.inputs, *facts.outputs))


def _elements(port: Port, limits: dict[str, int]) -> int:
    sizes = []
    for index, size in enumerate(port.shape):
        if isinstance(size, int):
            sizes.append(max(size, 1))
        else:
            sizes.append(
                1 if index == 0 and size not in limits else min(limits.get(size, _DYNAMIC_SIZE), _DYNAMIC_SIZE)
            )
    return math.prod(sizes)
