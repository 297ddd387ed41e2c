"""What quantizing one layer alone does to the outputs, for every layer, with one session.

The model is rewritten once: each layer's weights become an input with a default, its activations pass a switch that an
input opens. A run with one layer's rounded weights and its switch open is that layer quantized and nothing else, and no
second model is built or loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edgeshrink.compress.networks.layers import Layer, layers, rounded
from edgeshrink.compress.networks.prepare import session
from edgeshrink.compress.networks.samples import Feed, relative_error
from edgeshrink.compress.networks.static import INTEGER_LAYERS, measured_ranges, refuse_inner
from edgeshrink.compress.networks.weights import is_linear

_SWITCH = "edgeshrink_open_layer"
_SAMPLES = 16
_MANY_LAYERS, _FEW_SAMPLES = 64, 8


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """One layer's `error`: relative squared error of the outputs when it alone is quantized."""

    name: str
    operator: str
    error: float


@dataclass(frozen=True, slots=True)
class _Probe:
    layer: Layer
    rounded: Feed


def sensitivities(
    model: ModelProto,
    given: Sequence[Feed],
    *,
    scheme: str,
    per_channel: bool,
    symmetric: bool,
    done: Callable[[int, int], None],
) -> list[Sensitivity]:
    """All layers that `scheme` quantizes, most sensitive first. `model` is rewritten.

    UnsupportedModel where the scheme finds none.
    """
    if scheme == "int8":
        refuse_inner(model)
    found = [layer for layer in layers(model) if _is_quantized(layer, scheme)]
    given = given[: _FEW_SAMPLES if len(found) > _MANY_LAYERS else _SAMPLES]
    ranges = None
    if scheme == "int8":
        ranges = measured_ranges(
            model, given, method="MinMax", operators=INTEGER_LAYERS, symmetric=symmetric, step=lambda _: None
        )
    model.graph.input.append(helper.make_tensor_value_info(_SWITCH, TensorProto.INT64, []))
    probes = []
    for number, layer in enumerate(found):
        alternatives = {
            name: values
            for weight in range(len(layer.weights))
            for name, values in _open_weight(model, layer, weight, scheme, per_channel)
        }
        nodes = _activation(model, layer, number, scheme, ranges, symmetric)
        _insert(layer, nodes)
        probes.append(_Probe(layer, alternatives))
    running = session(model.SerializeToString(), plain=True)
    reference = [running.run(None, {**feed, _SWITCH: np.array(-1)}) for feed in given]
    results = []
    for number, probe in enumerate(probes):
        ones = [running.run(None, {**feed, **probe.rounded, _SWITCH: np.array(number)}) for feed in given]
        error = relative_error([array for run in reference for array in run], [array for run in ones for array in run])
        results.append(Sensitivity(probe.layer.name, probe.layer.node.op_type, error))
        done(number + 1, len(probes))
    return sorted(results, key=lambda entry: -entry.error)


def _is_quantized(layer: Layer, scheme: str) -> bool:
    if scheme == "int8":
        return layer.node.op_type == "Gather" or (layer.node.op_type in INTEGER_LAYERS and layer.depth == 0)
    return True


def _open_weight(
    model: ModelProto, layer: Layer, index: int, scheme: str, per_channel: bool
) -> list[tuple[str, NDArray[np.float32]]]:
    """Make a weight of the layer an input with itself as the default; its name and its rounded values."""
    weight = layer.weights[index]
    name = f"{layer.name}_weight_{weight.index}"
    values = weight.array()
    model.graph.initializer.append(numpy_helper.from_array(values, name))
    model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, values.shape))
    layer.node.input[weight.index] = name
    if scheme == "fp16":
        return [(name, values.astype(np.float16).astype(np.float32))]
    whole, scale = rounded(values, weight.axis if per_channel else None)
    spread = scale.reshape([-1 if per_channel and at == weight.axis else 1 for at in range(values.ndim)])
    return [(name, whole.astype(np.float32) * spread)]


def _activation(
    model: ModelProto, layer: Layer, number: int, scheme: str, ranges: object, symmetric: bool
) -> list[NodeProto]:
    """The nodes that put the layer's input through its quantization while the switch names the layer."""
    node, name = layer.node, layer.name
    if node.op_type == "Gather" or layer.weights[0].index == 0:
        return []
    source, passed, rough = node.input[0], f"{name}_passed", f"{name}_rough"
    nodes = _rounding(model, layer, source, rough, scheme, ranges, symmetric)
    if not nodes:
        return []
    model.graph.initializer.append(numpy_helper.from_array(np.array(number, np.int64), f"{name}_number"))
    nodes += [
        helper.make_node("Equal", [_SWITCH, f"{name}_number"], [f"{name}_open"], name=f"{name}_open"),
        helper.make_node("Where", [f"{name}_open", rough, source], [passed], name=f"{name}_where"),
    ]
    node.input[0] = passed
    return nodes


def _rounding(
    model: ModelProto, layer: Layer, source: str, rough: str, scheme: str, ranges: object, symmetric: bool
) -> list[NodeProto]:
    name = layer.name
    small, scale, zero = f"{name}_small", f"{name}_x_scale", f"{name}_x_zero"
    back = helper.make_node("DequantizeLinear", [small, scale, zero], [rough], name=f"{name}_back")
    if scheme == "fp16":
        return [
            helper.make_node("Cast", [source], [small], name=f"{name}_narrow", to=TensorProto.FLOAT16),
            helper.make_node("Cast", [small], [rough], name=f"{name}_back", to=TensorProto.FLOAT),
        ]
    if scheme == "int8-dynamic" and is_linear(layer):
        return [helper.make_node("DynamicQuantizeLinear", [source], [small, scale, zero], name=f"{name}_small"), back]
    if scheme != "int8":
        return []
    step, middle = _parameters(ranges, source, symmetric)
    model.graph.initializer.append(numpy_helper.from_array(step, scale))
    model.graph.initializer.append(numpy_helper.from_array(middle, zero))
    return [helper.make_node("QuantizeLinear", [source, scale, zero], [small], name=f"{name}_small"), back]


def _parameters(ranges: object, tensor: str, symmetric: bool) -> tuple[NDArray[np.float32], NDArray[np.generic]]:
    """Scale and zero point of a tensor's measured range, which is stretched to hold zero."""
    low, high = (float(np.min(value)) for value in ranges[tensor].range_value)  # type: ignore[index]
    low, high = min(low, 0.0), max(high, 0.0)
    if symmetric:
        largest = max(-low, high)
        return np.array(largest / 127 if largest else 1.0, np.float32), np.array(0, np.int8)
    step = (high - low) / 255 if high > low else 1.0
    return np.array(step, np.float32), np.array(round(-low / step), np.uint8)


def _insert(layer: Layer, nodes: Sequence[NodeProto]) -> None:
    at = next(index for index, node in enumerate(layer.graph.node) if node.name == layer.name)
    for offset, node in enumerate(nodes):
        layer.graph.node.insert(at + offset, node)
