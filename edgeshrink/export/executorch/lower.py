"""From an exported program to an ExecuTorch program, and what makes that quick for XNNPACK.

Imported in child jobs only. What takes long is no computing: XNNPACK's delegate runs 17 passes over each of its pieces,
every one of which traces all of it again, and its partitioner asks node by node whether an operator may be left whole,
for which the whole graph is decomposed twice. `SHORT` and `QuickPartitioner` leave both out; whoever uses them knows
that the graph holds nothing that those are for. 5 layers of a decoder in 8da4w then take a quarter of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, to_edge_transform_and_lower
from executorch.exir.backend.compile_spec_schema import CompileSpec
from executorch.exir.backend.partitioner import DelegationSpec, Partitioner

from edgeshrink.runtimes.job_stages import Stages

# The delegate's own switch for: run the pass that makes linear layers, and none of the others.
SHORT = DelegationSpec("XnnpackBackend", [CompileSpec("dqlinear_partitioner", b"")])


class QuickPartitioner(XnnpackPartitioner):
    """XNNPACK's own, which leaves whole every operator that it may, without asking about each node."""

    def ops_to_not_decompose(self, ep: Any) -> tuple[list[Any], None]:
        return super().ops_to_not_decompose(ep)[0], None


def lower(
    program: Any, partitioner: Partitioner, constant_methods: Mapping[str, object], name: str, stages: Stages
) -> Any:
    """An ExecutorchProgramManager. `constant_methods` return a value each; `name` is what the stage is called."""
    stages.begin(name)
    edge = to_edge_transform_and_lower(
        program,
        partitioner=[partitioner],
        constant_methods=dict(constant_methods),
        # The verifier knows none of ExecuTorch's own quantized operators.
        compile_config=EdgeCompileConfig(_check_ir_validity=False, _skip_dim_order=True),
    )
    stages.begin("plan memory")
    return edge.to_executorch(ExecutorchBackendConfig(extract_delegate_segments=True))
