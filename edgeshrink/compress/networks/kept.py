"""Layers that calibrated int8 keeps in float read float, too.

What makes a layer worth keeping is as often the range of its input as its weights. So the activations, pools and shape
changes between it and the layer or sum before stay float with it; that layer then hands on a float tensor, and whoever
else reads it rounds it as before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from onnx import ModelProto, NodeProto

from edgeshrink.catalog.onnx_file import graphs
from edgeshrink.compress.networks.layers import drop_unused

# What has one tensor and hands it on: between a rounded layer and a kept one it would round for the latter.
PASSING = (
    *("Relu", "LeakyRelu", "Clip", "MaxPool", "AveragePool", "GlobalAveragePool", "Split", "Slice"),
    *("Pad", "Resize", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"),
)


def nodes_in_float(model: ModelProto, keep: Collection[str]) -> frozenset[str]:
    """The names in `keep` and of the nodes that only pass a tensor on to one of them."""
    made = {output: node for node in model.graph.node for output in node.output}
    found = set(keep)
    rest = [node for node in model.graph.node if node.name in keep]
    while rest:
        before = [made[name] for name in rest.pop().input if name in made]
        new = [node for node in before if node.op_type in PASSING and node.name not in found]
        found.update(node.name for node in new)
        rest += new
    return frozenset(found)


def let_read_floats(model: ModelProto, in_float: Collection[str], float_model: ModelProto) -> None:
    """Let the nodes in `in_float` read what was rounded before it was; drop roundings that nobody reads any more.

    Weights that a quantized layer has in common with one of these stand in the file twice.
    """
    given = {node.name: node.input for node in float_model.graph.node if node.name in in_float}
    weights = {tensor.name: tensor for tensor in float_model.graph.initializer}
    made = {output: node for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        if node.name not in in_float:
            continue
        for index, name in enumerate(node.input):
            small = rounded_by(made, name)
            if small is not None:
                node.input[index] = small.input[0]
            elif name in made and given[node.name][index] in weights:
                node.input[index] = given[node.name][index]
                if all(tensor.name != node.input[index] for tensor in model.graph.initializer):
                    model.graph.initializer.append(weights[node.input[index]])
    results = {value.name for value in model.graph.output}
    while True:
        read = results.union(name for graph in graphs(model) for node in graph.node for name in node.input)
        unread = [
            node
            for node in model.graph.node
            if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.output[0] not in read
        ]
        if not unread:
            break
        for node in unread:
            model.graph.node.remove(node)
    drop_unused(model)


def rounded_by(made: Mapping[str, NodeProto], name: str) -> NodeProto | None:
    """The QuantizeLinear whose dequantized output `name` is."""
    back = made.get(name)
    small = made.get(back.input[0]) if back is not None and back.op_type == "DequantizeLinear" else None
    return small if small is not None and small.op_type == "QuantizeLinear" else None
