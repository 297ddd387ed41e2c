"""Matrix products on integers, activations quantized while they run: no calibration.

The pattern is that of onnxruntime.quantization.quantize_dynamic (DynamicQuantizeLinear, MatMulInteger, scale), which
onnxruntime fuses into one kernel; that function fails on a Gemm whose weights have value_info or stand outside its
branch of an If, and both are common. Everything else with weights keeps them as int8 and computes in float32: an
integer convolution with dynamic scales takes 15 times as long as a float one (ResNet-20, onnxruntime 1.31, VNNI).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from onnx import ModelProto, TensorProto, helper

from edgeshrink.compress.networks.layers import Layer, add_constant, layers, rounded
from edgeshrink.compress.networks.weights import is_linear, matrix, replace, weights_only


def dynamic_int8(model: ModelProto, *, keep: Collection[str], per_channel: bool) -> int:
    """Quantize in place; returns how many layers."""
    found = [layer for layer in layers(model) if layer.name not in keep and is_linear(layer)]
    for layer in found:
        _integer(layer, per_channel=per_channel)
    return len(found) + weights_only(model, keep=keep, per_channel=per_channel)


def _integer(layer: Layer, *, per_channel: bool) -> None:
    node, owner = layer.node, layer.weights[0].owner
    name, (source, weight, *bias), output = node.name, node.input, node.output[0]
    whole, scale = rounded(matrix(layer), 1 if per_channel else None)
    stored = add_constant(owner, f"{weight}_{name}_whole", whole)
    scales = add_constant(owner, f"{weight}_{name}_scale", scale)
    zero = add_constant(owner, f"{weight}_{name}_zero", np.zeros(scale.shape, np.int8))
    added = bool(bias and bias[0])
    product = f"{name}_product" if added else output
    nodes = [
        helper.make_node(
            "DynamicQuantizeLinear",
            [source],
            [f"{name}_x", f"{name}_x_scale", f"{name}_x_zero"],
            name=f"{name}_quantize",
        ),
        helper.make_node("MatMulInteger", [f"{name}_x", stored, f"{name}_x_zero", zero], [f"{name}_sum"], name=name),
        helper.make_node("Cast", [f"{name}_sum"], [f"{name}_float"], name=f"{name}_cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}_x_scale", scales], [f"{name}_factor"], name=f"{name}_factors"),
        helper.make_node("Mul", [f"{name}_float", f"{name}_factor"], [product], name=f"{name}_rescale"),
    ]
    if added:
        nodes.append(helper.make_node("Add", [product, bias[0]], [output], name=f"{name}_bias"))
    replace(layer.graph, node, nodes)
