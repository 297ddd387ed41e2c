"""Linear layers with float activations and int8 weights on XNNPACK, which its kernels know and its partitioner not.

Imported in child jobs only. Left alone, such a layer runs outside the delegate and dequantizes its whole weight at
every run.
"""

from __future__ import annotations

from typing import Any

import torch
from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS
from executorch.backends.xnnpack.partition.config.gemm_configs import LinearConfig
from executorch.backends.xnnpack.utils.quant_utils import is_per_channel, tag_as_implicit_q_dq
from torch.fx import GraphModule, Node

_decomposed = torch.ops.quantized_decomposed


def split_biases(graph: GraphModule) -> None:
    """Make the bias of each linear layer with an int8 weight an add of its own: XNNPACK's writer takes no such layer
    with a bias."""
    for node in list(graph.graph.nodes):
        if node.target is not torch.ops.aten.linear.default or len(node.args) < 3 or node.args[2] is None:
            continue
        value, weight, bias = node.args
        if weight.target is not _decomposed.dequantize_per_channel.default:
            continue
        with graph.graph.inserting_after(node):
            total = graph.graph.call_function(torch.ops.aten.add.Tensor, (node, bias))
        total.meta = dict(node.meta)
        node.replace_all_uses_with(total, delete_user_cb=lambda user, total=total: user is not total)
        node.args = (value, weight)
    graph.recompile()


class _LinearConfig(LinearConfig):
    def get_deps(self, node: Node, ep: Any) -> tuple[bool, list[Node]]:
        weight = node.args[1]
        quantized = isinstance(weight, Node) and is_per_channel(weight)
        if not quantized or len(node.args) > 2 or "dequantize" in str(node.args[0].target):
            return super().get_deps(node, ep)
        tag_as_implicit_q_dq(weight)
        return True, [weight, *weight.all_input_nodes]


# XNNPACK's own rules, with the one for linear layers extended.
RULES = tuple(_LinearConfig if rule is LinearConfig else rule for rule in ALL_PARTITIONER_CONFIGS)
