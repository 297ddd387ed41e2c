"""PT2E quantization for the XNNPACK delegate: which operators of an exported network get int8, and the int8 graph.

Imported in child jobs only. "int8" calibrates static ranges and computes in int8; "int8-dynamic" quantizes each
activation by the values it has at run time; "int8-weight" stores weights in int8 and computes in float32. Embedding
tables are stored in int8, a scale a row, by all three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer_utils import propagate_annotation
from executorch.exir.passes import _quant_patterns_and_replacements as _embedding_byte  # registers the operator
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer import (
    QuantizationAnnotation,
    QuantizationConfig,
    QuantizationSpec,
    SharedQuantizationSpec,
)
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from edgeshrink.errors import PlanError, UnsupportedModel

__all__ = ["calibrate", "convert", "layer_names", "layers_of", "prepare"]

_aten = torch.ops.aten
_decomposed = torch.ops.quantized_decomposed
_LINEAR = (_aten.linear.default,)
_CONV = (_aten.conv1d.default, _aten.conv2d.default, _aten.conv_transpose2d.input)
_EMBEDDING = (_aten.embedding.default,)
_LAYERS = (*_LINEAR, *_CONV, *_EMBEDDING)
# Operators between layers that XNNPACK computes in int8 where int8 comes in and goes out.
_BETWEEN = (
    *(_aten.add.Tensor, _aten.add_.Tensor, _aten.mul.Tensor, _aten.mul_.Tensor),
    *(_aten.cat.default, _aten.adaptive_avg_pool2d.default),
)
# Operators through which int8 values pass unchanged, or clamped.
_THROUGH = (
    *(_aten.relu.default, _aten.relu_.default, _aten.hardtanh.default, _aten.hardtanh_.default),
    *(_aten.max_pool2d.default, _aten.mean.default, _aten.mean.dim, _aten.dropout.default, _aten.dropout_.default),
    *(_aten.permute.default, _aten.transpose.int, _aten.squeeze.dim, _aten.view.default, _aten.reshape.default),
    *(_aten.slice.Tensor, _aten.flatten.using_ints, _aten.pad.default, _aten.constant_pad_nd.default),
)

_WRAPPERS = "edgeshrink.runtimes.torch_network."

del _embedding_byte


def layers_of(graph: GraphModule) -> dict[str, list[Node]]:
    """The operators with weights of their own that can be quantized, by the name of the module that calls them.

    The names are fully qualified in the network ("layer1.0.conv1"), in the order in which they run.
    """
    found: dict[str, list[Node]] = {}
    for node in graph.graph.nodes:
        if node.op == "call_function" and node.target in _LAYERS and _stored(node).op == "get_attr":
            found.setdefault(_module(node), []).append(node)
    return found


def layer_names(graph: GraphModule, scheme: str) -> tuple[str, ...]:
    """The layers that `scheme` quantizes where none is kept."""
    return tuple(name for name, nodes in layers_of(graph).items() if any(_takes(node, scheme) for node in nodes))


def prepare(
    graph: GraphModule, scheme: str, keep: Iterable[str], *, per_channel: bool, symmetric_activations: bool
) -> GraphModule:
    """The graph with batch norms folded into convolutions and observers in place; `keep` names layers left in float.

    A kept name may be a module that holds several layers. PlanError: a name in `keep` that no layer has;
    UnsupportedModel: nothing is left to quantize, or the rules fail on it.
    """
    names = layer_names(graph, scheme)
    kept = {name for name in names if any(_within(name, wanted) for wanted in keep)}
    unknown = [wanted for wanted in keep if not any(_within(name, wanted) for name in names)]
    if unknown:
        raise PlanError(f"no layer that {scheme} quantizes is named {unknown[0]}", hint=f"layers: {_listed(names)}")
    if not set(names) - kept:
        raise UnsupportedModel(
            f"{scheme} has nothing to quantize in this network" + (" beside the layers kept in float" if kept else ""),
            hint="use fp32, or another scheme: int8 takes convolutions, linear layers and embeddings",
        )
    try:
        prepared: GraphModule = prepare_pt2e(graph, _Quantizer(scheme, kept, per_channel, symmetric_activations))
    except Exception as error:  # torchao and XNNPACK's rules raise anything
        raise UnsupportedModel(
            f"{scheme}: the rules of XNNPACK do not fit this network: {str(error)[:300]}", hint="try another scheme"
        ) from error
    return prepared


def calibrate(prepared: GraphModule, samples: Iterable[tuple[Any, ...]], seen: Callable[[int], None]) -> int:
    """Run every sample through the observers; how many there were. `seen` is told after each."""
    count = 0
    with torch.no_grad():
        for sample in samples:
            prepared(*sample)
            count += 1
            seen(count)
    return count


def convert(prepared: GraphModule) -> GraphModule:
    """The int8 graph: weights folded to int8, embeddings looked up in int8 and scaled afterwards."""
    converted: GraphModule = convert_pt2e(prepared)
    for node in list(converted.graph.nodes):
        if node.op == "call_function" and node.target in _EMBEDDING:
            _look_up_bytes(converted, node)
    converted.graph.eliminate_dead_code()
    converted.recompile()
    return converted


def _look_up_bytes(graph: GraphModule, node: Node) -> None:
    """Without this the whole table is dequantized at every run."""
    table = node.args[0]
    if not isinstance(table, Node) or table.target is not _decomposed.dequantize_per_channel.default:
        return
    weight, scales, _, _, low, high, _ = table.args
    with graph.graph.inserting_before(node):
        looked_up = graph.graph.call_function(
            _decomposed.embedding_byte.default, (weight, scales, None, low, high, node.args[1])
        )
    looked_up.meta = dict(node.meta)
    node.replace_all_uses_with(looked_up)
    graph.graph.erase_node(node)


class _Quantizer(XNNPACKQuantizer):
    """XNNPACK's rules for static int8; linear layers, convolutions and embeddings only for the other schemes.

    Static int8 leaves an add, multiply, concatenation or pool in float unless int8 comes in and a quantized operator
    takes what goes out: between float operators (an encoder's residual sum before its layer norm) it would cost
    accuracy and save nothing.
    """

    def __init__(self, scheme: str, kept: set[str], per_channel: bool, symmetric: bool) -> None:
        super().__init__()
        self._scheme = scheme
        self._kept = kept
        self._config = _config(scheme, per_channel, symmetric)

    def transform_for_annotation(self, model: GraphModule) -> GraphModule:
        # XNNPACK's own makes float tensors of all scalars that are added or multiplied, those of indices too.
        return model

    def annotate(self, model: GraphModule) -> GraphModule:
        layers = [node for name, nodes in layers_of(model).items() if name not in self._kept for node in nodes]
        layers = [node for node in layers if _takes(node, self._scheme)]
        for node in layers:
            if node.target in _EMBEDDING:
                _annotate(node, {_weight(node): _rows()})
            elif self._scheme == "int8-weight":
                _annotate(node, {_weight(node): self._config.weight})
            elif self._scheme == "int8-dynamic":
                _annotate(node, {node.args[0]: self._config.input_activation, _weight(node): self._config.weight})
        if self._scheme == "int8":
            self._annotate_static(model, set(layers))
        return model

    def _annotate_static(self, model: GraphModule, layers: set[Node]) -> None:
        wanted = layers | _between(model, layers)
        ruled = (*_LAYERS, *_BETWEEN)
        self.set_global(self._config)
        self.set_filter_function(lambda node: node.target not in ruled or node in wanted)
        self._annotate_for_quantization_config(model)
        for node in model.graph.nodes:
            # XNNPACK's rule for concatenations asks no filter.
            if node.target is _aten.cat.default and node not in wanted:
                node.meta.pop(Q_ANNOTATION_KEY, None)
        propagate_annotation(model)
        for node in model.graph.nodes:
            # A view of a quantized value that only float operators read: int8 would be two conversions for nothing.
            passed = isinstance(getattr(node.meta.get(Q_ANNOTATION_KEY), "output_qspec", None), SharedQuantizationSpec)
            if passed and node.target in _THROUGH and not _reaches(node, wanted):
                del node.meta[Q_ANNOTATION_KEY]


def _between(model: GraphModule, layers: set[Node]) -> set[Node]:
    """The operators of `_BETWEEN` that stand between quantized ones; found by taking away until nothing changes."""
    computing = {node for node in layers if node.target not in _EMBEDDING}
    chosen = {node for node in model.graph.nodes if node.target in _BETWEEN and _of_tensors(node)}
    while True:
        quantized = computing | chosen
        left = {
            node
            for node in chosen
            if any(_source(value) in quantized for value in node.all_input_nodes) and _reaches(node, quantized)
        }
        if left == chosen:
            return chosen
        chosen = left


def _of_tensors(node: Node) -> bool:
    return all(isinstance(value, Node | list) for value in node.args[:2]) or node.target not in _BETWEEN[:4]


def _source(node: Node) -> Node:
    while node.target in _THROUGH and isinstance(node.args[0], Node):
        node = node.args[0]
    return node


def _reaches(node: Node, quantized: set[Node]) -> bool:
    return any(user in quantized or (user.target in _THROUGH and _reaches(user, quantized)) for user in node.users)


def _takes(node: Node, scheme: str) -> bool:
    if node.target in _EMBEDDING or node.target in _LINEAR:
        return True
    if scheme == "int8":
        return True
    # XNNPACK computes no depthwise, transposed or 1-D convolution on dynamic activations, and none with float
    # activations and int8 weights.
    return scheme == "int8-dynamic" and node.target is _aten.conv2d.default and _groups(node) == 1


def _groups(node: Node) -> int:
    return int(node.args[6]) if len(node.args) > 6 else 1


def _config(scheme: str, per_channel: bool, symmetric: bool) -> QuantizationConfig:
    config = get_symmetric_quantization_config(is_per_channel=per_channel, is_dynamic=scheme == "int8-dynamic")
    if not symmetric:
        return config
    activation = replace(config.input_activation, qscheme=torch.per_tensor_symmetric)
    return replace(config, input_activation=activation, output_activation=activation)


def _rows() -> QuantizationSpec:
    return get_symmetric_quantization_config(is_per_channel=True).weight


def _annotate(node: Node, inputs: dict[Any, QuantizationSpec]) -> None:
    node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(input_qspec_map=inputs, _annotated=True)


def _weight(node: Node) -> Node:
    weight = node.args[0 if node.target in _EMBEDDING else 1]
    assert isinstance(weight, Node)
    return weight


def _stored(node: Node) -> Node:
    """The weight behind the observer or the quantizers that preparing and converting put before it."""
    weight = _weight(node)
    while weight.op == "call_module" or getattr(weight.target, "namespace", "") == "quantized_decomposed":
        weight = weight.all_input_nodes[0]
    return weight


def _module(node: Node) -> str:
    """The name of the innermost module, as its own network calls it: without the wrapper that flattens its outputs."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    if not stack or not stack[-1][0]:
        return str(node.name)
    name = str(stack[-1][0])
    return name.removeprefix("module.") if _WRAPPERS in str(stack[0][1]) else name


def _within(name: str, wanted: str) -> bool:
    return name == wanted or name.startswith(wanted + ".")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:40]) + (f" and {len(names) - 40} more" if len(names) > 40 else "")
