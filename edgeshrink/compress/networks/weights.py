"""Weights as int8 in the file, in any graph of the model: nothing else is quantized.

Layers read their weights through DequantizeLinear, which every ONNX runtime knows. onnxruntime keeps such a weight of a
matrix product as int8 and multiplies blocks of it (it rounds the activations of each block to 8 bits on the way);
weights of convolutions and recurrent layers it dequantizes in each run. Tables are looked up as int8, and only the rows
that were found are scaled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

from edgeshrink.compress.networks.layers import LINEAR, Layer, Weight, add_constant, drop_unused, layers, rounded


def weights_only(
    model: ModelProto, *, keep: Collection[str], per_channel: bool, operators: Collection[str] = ()
) -> int:
    """Store the weights of every layer that is not in `keep` as int8; returns how many layers.

    `operators`: of these alone; empty: of all.
    """
    found = [layer for layer in layers(model) if layer.name not in keep]
    found = [layer for layer in found if not operators or layer.node.op_type in operators]
    for layer in found:
        if layer.node.op_type == "Gather":
            _look_up(layer, per_channel=per_channel)
            continue
        for weight in layer.weights:
            _dequantize(layer, weight, per_channel=per_channel)
    drop_unused(model)
    return len(found)


def _look_up(layer: Layer, *, per_channel: bool) -> None:
    """Gather int8 rows and their scales, then multiply: never more than the rows that were asked for is float."""
    (weight,), node = layer.weights, layer.node
    whole, scale = rounded(weight.array(), 0 if per_channel else None)
    table = add_constant(weight.owner, f"{weight.tensor.name}_quantized_rows", whole)
    scales = f"{weight.tensor.name}_row_scales"
    add_constant(weight.owner, scales, scale.reshape(-1, 1) if per_channel else scale)
    rows, wide, factor = f"{node.name}_rows", f"{node.name}_float", scales
    nodes = [
        helper.make_node("Gather", [table, node.input[1]], [rows], name=node.name, axis=0),
        helper.make_node("Cast", [rows], [wide], name=f"{node.name}_cast", to=TensorProto.FLOAT),
    ]
    if per_channel:
        factor = f"{node.name}_row_scales"
        nodes.append(helper.make_node("Gather", [scales, node.input[1]], [factor], name=f"{node.name}_scales", axis=0))
    nodes.append(helper.make_node("Mul", [wide, factor], [node.output[0]], name=f"{node.name}_scaled"))
    replace(layer.graph, node, nodes)


def _dequantize(layer: Layer, weight: Weight, *, per_channel: bool) -> None:
    axis = weight.axis if per_channel else None
    name = f"{weight.tensor.name}_dequantized" + ("" if axis is None else f"_{axis}")
    if all(name not in node.output for node in weight.owner.node):
        whole, scale = rounded(weight.array(), axis)
        stored = add_constant(weight.owner, f"{name}_whole", whole)
        scales = add_constant(weight.owner, f"{name}_scale", scale)
        along = {} if axis is None else {"axis": axis}
        weight.owner.node.insert(0, helper.make_node("DequantizeLinear", [stored, scales], [name], name=name, **along))
    layer.node.input[weight.index] = name


def replace(graph: GraphProto, node: NodeProto, nodes: Iterable[NodeProto]) -> None:
    """Put `nodes` in the place of `node`."""
    at = next(index for index, other in enumerate(graph.node) if other.name == node.name)
    del graph.node[at]
    for offset, new in enumerate(nodes):
        graph.node.insert(at + offset, new)


def is_linear(layer: Layer) -> bool:
    """Whether the layer is x W + b with W of two dimensions: a MatMul, or a Gemm without factors."""
    node = layer.node
    if node.op_type not in LINEAR or len(layer.weights[0].tensor.dims) != 2:
        return False
    settings = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    return settings.get("alpha", 1.0) == settings.get("beta", 1.0) == 1.0 and not settings.get("transA", 0)


def matrix(layer: Layer) -> NDArray[np.float32]:
    """The weights of a linear layer as (inputs, outputs)."""
    values = layer.weights[0].array()
    return np.ascontiguousarray(values.T) if layer.weights[0].axis == 0 else values
