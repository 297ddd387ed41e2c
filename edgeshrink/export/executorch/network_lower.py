"""From an exported network to an ExecuTorch program, with the delegate that was asked for.

Imported in child jobs only. What takes long is no computing: XNNPACK's delegate runs 17 passes over each of its
pieces, and each of them traces the piece again; and its partitioner asks node by node whether an operator may be
left whole, for which all of the graph is decomposed twice. Most pieces of an encoder hold nothing that those passes
look for, and networks that XNNPACK cannot take as they are are rare: so the short way is tried first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, to_edge_transform_and_lower
from executorch.exir.backend.compile_spec_schema import CompileSpec
from executorch.exir.backend.partitioner import DelegationSpec, Partitioner, PartitionResult

from edgeshrink.errors import PlanError, UnsupportedModel

_logger = logging.getLogger(__name__)
# The delegate's own switch for: run the pass that makes linear layers, and none of the others.
_SHORT = DelegationSpec("XnnpackBackend", [CompileSpec("dqlinear_partitioner", b"")])
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


def lower(
    program: Any,
    delegate: str,
    constant_methods: Mapping[str, object],
    stage: Callable[[str], None],
    *,
    partitioner: type[XnnpackPartitioner] = XnnpackPartitioner,
) -> Any:
    """An ExecutorchProgramManager; `stage` is told what begins. `partitioner` is XNNPACK's own, or one made of it.

    UnsupportedModel: the delegate refuses the network.
    """
    ways: list[Partitioner] = [_delegate(delegate)] if delegate != "xnnpack" else [_quick(partitioner), partitioner()]
    for way in ways:
        stage(f"lower to {delegate}")
        try:
            edge = to_edge_transform_and_lower(
                program,
                partitioner=[way],
                constant_methods=dict(constant_methods),
                # The verifier knows none of ExecuTorch's own quantized operators.
                compile_config=EdgeCompileConfig(_check_ir_validity=False, _skip_dim_order=True),
            )
            stage("plan memory")
            return edge.to_executorch(ExecutorchBackendConfig(extract_delegate_segments=True))
        except Exception as error:  # the library raises anything
            if way is ways[-1]:
                raise UnsupportedModel(
                    f"ExecuTorch cannot lower this network to {delegate}",
                    hint=f"try another format or delegate; it said: {str(error)[:1500]}",
                ) from error
            _logger.warning("the short way failed, taking the long one: %s", error)
    raise AssertionError("there is a way")


def _quick(base: type[XnnpackPartitioner]) -> Partitioner:
    class Quick(base):
        def ops_to_not_decompose(self, ep: Any) -> tuple[list[Any], None]:
            """Operators that are left whole: all of them, without asking node by node."""
            return super().ops_to_not_decompose(ep)[0], None

        def partition(self, exported_program: Any) -> PartitionResult:
            found: PartitionResult = super().partition(exported_program)
            names: dict[str, set[str]] = {}
            for node in found.tagged_exported_program.graph.nodes:
                if node.op == "call_function" and "delegation_tag" in node.meta:
                    names.setdefault(node.meta["delegation_tag"], set()).add(_name(node.target))
            short = {tag: _SHORT for tag, operators in names.items() if operators <= _PLAIN}
            return PartitionResult(found.tagged_exported_program, {**found.partition_tags, **short})

    return Quick()


def _name(target: Any) -> str:
    """`linear.default` of an edge operator."""
    return ".".join(target.__name__.split(".")[-2:]) if "." in target.__name__ else str(target.__name__)


def _delegate(name: str) -> Partitioner:
    if name == "vulkan":
        from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

        return VulkanPartitioner()
    if name == "coreml":
        from executorch.backends.apple.coreml.partition import CoreMLPartitioner

        return CoreMLPartitioner()
    raise PlanError(f"no lowering for the delegate {name!r}")
