"""What quantizing one layer alone does to a network's outputs: one quantized graph, switched on layer by layer.

Imported in child jobs only. Nothing is lowered: quantized values are computed as torch's reference operators define
them, with the scales that the finished file would have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.fx import GraphModule, Interpreter, Node
from torch.utils import _pytree as pytree
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

from edgeshrink.export.executorch.pt2e import layers_of

_decomposed = torch.ops.quantized_decomposed
# What turns float into int8, and what comes back from it with the same arguments.
_PAIRS = {
    _decomposed.quantize_per_tensor.default: _decomposed.dequantize_per_tensor.default,
    _decomposed.quantize_per_tensor.tensor: _decomposed.dequantize_per_tensor.tensor,
    _decomposed.quantize_per_channel.default: _decomposed.dequantize_per_channel.default,
}
_QUANTIZERS = {back: there for there, back in _PAIRS.items()}


def layer_errors(
    prepared: GraphModule, names: Sequence[str], samples: Sequence[tuple[Any, ...]], seen: Callable[[int], None]
) -> list[tuple[str, str, float]]:
    """(layer, operator, relative squared error of all outputs, mean over samples), most sensitive first.

    `prepared` is calibrated, and is used up. `seen` is told how many layers are done.
    """
    network = _Switched(convert_pt2e(prepared, fold_quantize=False))
    layers = {name: nodes for name, nodes in layers_of(network.module).items() if name in names}
    errors = []
    with torch.no_grad():
        exact = [_outputs(network.run(*sample)) for sample in samples]
        for done, (name, nodes) in enumerate(layers.items(), start=1):
            network.switch_on(nodes)
            error = 0.0
            for sample, reference in zip(samples, exact, strict=True):
                error += _relative(_outputs(network.run(*sample)), reference)
            errors.append((name, str(nodes[0].target).split(".")[1], error / len(samples)))
            seen(done)
    return sorted(errors, key=lambda entry: -entry[2])


class _Switched(Interpreter):
    """Runs a quantized graph in float, but for the operators that are switched on.

    Quantized values stay float on their way; an operator that is on rounds what it reads and what it writes itself,
    so that no other reader of the same value is touched.
    """

    def __init__(self, module: GraphModule) -> None:
        super().__init__(module)
        self._read: set[Node] = set()
        self._written: set[Node] = set()

    def switch_on(self, nodes: Sequence[Node]) -> None:
        """These operators and no others."""
        self._read = {value for node in nodes for value in node.all_input_nodes if value.target in _QUANTIZERS}
        self._written = {value for node in nodes for value in _after(node)}

    def run_node(self, node: Node) -> Any:
        there = node.target if node.target in _PAIRS else _QUANTIZERS.get(node.target)
        if there is None:
            return super().run_node(node)
        (value, *how), _ = self.fetch_args_kwargs_from_env(node)
        if node in self._read or node in self._written:
            return _PAIRS[there](there(value, *how), *how)
        return value


def _after(node: Node) -> list[Node]:
    """The quantizers of what an operator writes, directly or through a fused activation."""
    found = []
    for user in node.users:
        if user.target in _PAIRS:
            found.append(user)
        elif str(user.target).startswith(("aten.relu", "aten.hardtanh")):
            found.extend(value for value in user.users if value.target in _PAIRS)
    return found


def _outputs(returned: Any) -> list[torch.Tensor]:
    return [value for value in pytree.tree_leaves(returned) if value.is_floating_point()]


def _relative(outputs: list[torch.Tensor], exact: list[torch.Tensor]) -> float:
    """Squared error over squared size; an output of nothing but zeros counts its error as it is."""
    error = sum(float((output - wanted).square().sum()) for output, wanted in zip(outputs, exact, strict=True))
    size = sum(float(wanted.square().sum()) for wanted in exact)
    return error / size if size else error
