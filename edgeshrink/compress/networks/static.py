"""int8 weights and activations with ranges measured on calibration samples: onnxruntime.quantization, format QDQ.

A network with attention keeps everything but its layers with weights in float: softmax, layer norms and the residual
stream have outliers that one scale per tensor cannot hold. Any other network is quantized as a chain, so that
onnxruntime's integer kernels hand int8 to each other. Outputs of matrix products stay float: what reads them quantizes
what it needs.

A layer that is kept in float reads float, too: see kept.py.

Ranges are taken in two ways, and the one whose outputs are nearer to the float network's is written. Measured here
(relative squared error; ResNet-20, 128 images): the whole range 0.0015, 99.99 % of the values 0.0023, entropy found the
whole range again at four times the cost, so it is no candidate.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto, NodeProto

from edgeshrink.compress.networks.kept import PASSING, let_read_floats, nodes_in_float, rounded_by
from edgeshrink.compress.networks.layers import in_order, layers
from edgeshrink.compress.networks.prepare import session
from edgeshrink.compress.networks.samples import Feed, Reader, relative_error
from edgeshrink.compress.networks.weights import weights_only
from edgeshrink.errors import UnsupportedModel

INTEGER_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_CHAIN = (*INTEGER_LAYERS, "Add", "Concat", *PASSING)
_TABLES = ("Gather",)
_PERCENTILE = 99.99
_COMPARED = 16
# Histograms of every tensor take ten times as long as its smallest and largest value.
_HISTOGRAM_SAMPLES = 64
_WORDS = {"MinMax": "the whole range", "Percentile": f"{_PERCENTILE} % of the values"}


def static_int8(
    model: ModelProto,
    given: Sequence[Feed],
    *,
    keep: Collection[str],
    per_channel: bool,
    symmetric: bool,
    done: Callable[[int, int], None],
) -> tuple[ModelProto, str]:
    """A quantized copy of `model` and a sentence on how its ranges were found.

    `done(n, total)` after each sample. UnsupportedModel where every layer stands inside a branch or a loop, or nothing
    finite comes out.
    """
    refuse_inner(model)
    whole_chain = not has_attention(model)
    float_model = model.SerializeToString()
    compared = given[:_COMPARED]
    reference = outputs(float_model, compared)
    weights_only(model, keep=keep, per_channel=per_channel, operators=_TABLES)
    operators = _CHAIN if whole_chain else INTEGER_LAYERS
    in_float = nodes_in_float(model, keep)
    chosen = {"MinMax": given, "Percentile": given[:_HISTOGRAM_SAMPLES]}
    total, before = sum(map(len, chosen.values())), 0
    results: list[tuple[float, str, ModelProto]] = []
    for method, some in chosen.items():

        def step(count: int, before: int = before) -> None:
            done(before + count, total)

        ranges = measured_ranges(model, some, method=method, operators=operators, symmetric=symmetric, step=step)
        before += len(some)
        candidate = _quantized(model, ranges, operators, in_float, per_channel, symmetric)
        if not whole_chain:
            _read_floats(candidate, keep)
        let_read_floats(candidate, in_float, model)
        error = relative_error(reference, outputs(candidate.SerializeToString(), compared))
        results.append((error, method, candidate))
    error, method, best = min(results, key=lambda entry: entry[0])
    if error == float("inf"):
        raise UnsupportedModel(
            "int8: the quantized network's outputs are not finite", hint="use --scheme int8-weight or fp16"
        )
    others = ", ".join(f"{_WORDS[name]}: {value:.2g}" for value, name, _ in results if name != method)
    what = "the whole chain is int8" if whole_chain else "layers with weights are int8, attention and norms float"
    return best, f"ranges of {_WORDS[method]}, relative error {error:.2g} on {len(compared)} samples ({others}); {what}"


def measured_ranges(
    model: ModelProto,
    given: Sequence[Feed],
    *,
    method: str,
    operators: Sequence[str],
    symmetric: bool,
    step: Callable[[int], None],
) -> Any:
    """onnxruntime's TensorsData of what enters and leaves `operators`; memory stays that of one sample."""
    from onnxruntime.quantization import CalibrationMethod
    from onnxruntime.quantization.calibrate import create_calibrator

    options: dict[str, Any] = {"symmetric": symmetric}
    if method == "Percentile":
        options["percentile"] = _PERCENTILE
    with tempfile.TemporaryDirectory(prefix="edgeshrink-ranges-") as folder:
        plain = Path(folder) / "model.onnx"
        onnx.save(model, str(plain))
        calibrator = create_calibrator(
            plain,
            list(operators),
            augmented_model_path=str(Path(folder) / "watched.onnx"),
            calibrate_method=CalibrationMethod[method],
            extra_options=options,
        )
        for count, feed in enumerate(given, start=1):
            calibrator.collect_data(Reader([feed]))
            step(count)
        return calibrator.compute_data()


def refuse_inner(model: ModelProto) -> None:
    """UnsupportedModel where calibration sees no layer: all stand inside control flow."""
    found = layers(model)
    if all(layer.depth for layer in found):
        operator = next((node.op_type for node in model.graph.node if node.op_type in ("If", "Loop", "Scan")), "If")
        raise UnsupportedModel(
            f"int8 with calibration: all {len(found)} layers with weights stand inside {operator}, where activations "
            "cannot be watched",
            hint="use --scheme int8-dynamic, int8-weight or fp16",
        )


def has_attention(model: ModelProto) -> bool:
    """Whether two computed matrices are multiplied, or layers are normalized, as transformers do."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return any(
        node.op_type in ("LayerNormalization", "Attention", "MultiHeadAttention")
        or (node.op_type == "MatMul" and not constants & set(node.input))
        for node in model.graph.node
    )


def outputs(model: bytes, given: Sequence[Feed]) -> list[Any]:
    """All outputs of all samples in one list."""
    running = session(model)
    return [array for feed in given for array in running.run(None, feed)]


def _read_floats(model: ModelProto, keep: Collection[str]) -> None:
    """Let everything but quantized layers read a float tensor instead of its rounded copy.

    The quantizer gives the copy to all who read the tensor: the residual stream would pass through 8 bits. What a
    convolution makes stays rounded: only so is the convolution an integer one.
    """
    made = {output: node for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        rounds = node.op_type in ("QuantizeLinear", "DequantizeLinear")
        if rounds or (node.op_type in INTEGER_LAYERS and node.name not in keep and _has_integer_weights(node, made)):
            continue
        for index, name in enumerate(node.input):
            small = rounded_by(made, name)
            if small is None:
                continue
            maker = made.get(small.input[0])
            if maker is None or maker.op_type not in ("Conv", "ConvTranspose"):
                node.input[index] = small.input[0]


def _has_integer_weights(node: NodeProto, made: Mapping[str, NodeProto]) -> bool:
    back = made.get(node.input[1])
    return back is not None and back.op_type == "DequantizeLinear" and back.input[0] not in made


def _quantized(
    model: ModelProto,
    ranges: Any,
    operators: Sequence[str],
    keep: Collection[str],
    per_channel: bool,
    symmetric: bool,
) -> ModelProto:
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    weighted = {layer.name for layer in layers(model)}
    # Its option MatMulConstBOnly does not reach this quantizer.
    computed = {node.name for node in model.graph.node if node.op_type == "MatMul" and node.name not in weighted}
    quantizer = QDQQuantizer(
        model,
        per_channel,
        False,
        QuantType.QInt8,
        QuantType.QInt8 if symmetric else QuantType.QUInt8,
        ranges,
        [],
        sorted(computed.union(keep)),
        list(operators),
        {
            "ActivationSymmetric": symmetric,
            "WeightSymmetric": True,
            "OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"],
        },
    )
    quantizer.quantize_model()
    found: ModelProto = quantizer.model.model
    in_order(found.graph)
    return found
