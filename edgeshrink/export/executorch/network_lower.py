"""From an exported network to an ExecuTorch program, with the delegate that was asked for.

Imported in child jobs only. Most pieces of an encoder hold nothing that XNNPACK's passes look for, and networks that
it cannot take as they are are rare: so the short way of `lower.py` is tried first, and taken piece by piece.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir.backend.partitioner import Partitioner, PartitionResult

from edgeshrink.errors import UnsupportedModel
from edgeshrink.export.executorch.delegates import coreml, unknown, vulkan
from edgeshrink.export.executorch.lower import SHORT, QuickPartitioner, lower
from edgeshrink.runtimes.job_stages import Stages

_logger = logging.getLogger(__name__)
# Operators that no other pass of the delegate changes: no layouts, no padding, no fused activations, no copies.
_PLAIN = frozenset(
    {
        *("linear.default", "addmm.default", "mm.default", "bmm.default", "add.Tensor", "sub.Tensor", "mul.Tensor"),
        *("div.Tensor", "gelu.default", "tanh.default", "sigmoid.default", "exp.default", "rsqrt.default"),
        *("sqrt.default", "pow.Tensor_Scalar", "_softmax.default", "permute_copy.default", "view_copy.default"),
        *("unsqueeze_copy.default", "slice_copy.Tensor", "clone.default"),
        *("quantize_per_tensor.default", "dequantize_per_tensor.default", "dequantize_per_channel.default"),
        *("quantize_per_tensor.tensor", "dequantize_per_tensor.tensor", "choose_qparams.tensor", "getitem"),
    }
)


def lower_network(
    program: Any,
    delegate: str,
    constant_methods: Mapping[str, object],
    stages: Stages,
    *,
    dynamic: bool,
    rules: Sequence[Any] = ALL_PARTITIONER_CONFIGS,
) -> Any:
    """An ExecutorchProgramManager. `dynamic`: some input has a dimension that varies; `rules`: what XNNPACK takes.

    UnsupportedModel: the delegate refuses the network.
    """
    ways = _ways(delegate, dynamic, list(rules))
    for way in ways:
        try:
            return lower(program, way, constant_methods, f"lower to {delegate}", stages)
        except Exception as error:  # the library raises anything
            if way is ways[-1]:
                raise UnsupportedModel(
                    f"ExecuTorch cannot lower this network to {delegate}",
                    hint=f"try another format or delegate; it said: {str(error)[:1500]}",
                ) from error
            _logger.warning("the short way failed, taking the long one: %s", error)
    raise AssertionError("there is a way")


def _ways(delegate: str, dynamic: bool, rules: list[Any]) -> list[Partitioner]:
    if delegate == "xnnpack":
        return [_ByPiece(configs=rules), XnnpackPartitioner(configs=rules)]
    if delegate == "coreml":
        # Not half as for decoders: fp32 is the one scheme that networks have there, and it promises float32 outputs.
        return [coreml(half=False)]
    if delegate == "vulkan":
        return [vulkan(dynamic=dynamic)]
    raise unknown(delegate)


class _ByPiece(QuickPartitioner):
    def partition(self, exported_program: Any) -> PartitionResult:
        found: PartitionResult = super().partition(exported_program)
        names: dict[str, set[str]] = {}
        for node in found.tagged_exported_program.graph.nodes:
            if node.op == "call_function" and "delegation_tag" in node.meta:
                names.setdefault(node.meta["delegation_tag"], set()).add(_name(node.target))
        short = {tag: SHORT for tag, operators in names.items() if operators <= _PLAIN}
        return PartitionResult(found.tagged_exported_program, {**found.partition_tags, **short})


def _name(target: Any) -> str:
    """`linear.default` of an edge operator."""
    return ".".join(target.__name__.split(".")[-2:]) if "." in target.__name__ else str(target.__name__)
