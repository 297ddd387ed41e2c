"""From a torch module to an ExecuTorch program, each stage timed. Imports torch and executorch.

What took long was not computing: XNNPACK's delegate runs 17 passes over each of its pieces, every one of which
traces all of it again with symbolic lengths, and the partitioner's operator check makes the whole graph be decomposed
twice. The decoder has nothing for those passes to do (no convolutions, no batch norm, no layouts), so they are left
out by the delegate's own switch: 5 layers in 8da4w take a quarter of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, to_edge_transform_and_lower
from executorch.exir.backend.compile_spec_schema import CompileSpec
from executorch.exir.backend.partitioner import DelegationSpec, Partitioner

from edgeshrink.export.executorch.decoder import Decoder
from edgeshrink.export.executorch.stages import Emit, Stages, timed


class DecoderPartitioner(XnnpackPartitioner):
    """XNNPACK for a decoder: all of its operators but no more of its passes than the decoder needs.

    `outside`: names of parameters whose product stays with the runtime's own kernels.
    """

    def __init__(self, outside: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.delegation_spec = DelegationSpec("XnnpackBackend", [CompileSpec("dqlinear_partitioner", b"")])
        self._outside = outside

    def ops_to_not_decompose(self, ep: Any) -> tuple[list[Any], None]:
        """All that XNNPACK takes whole; None: all of it is taken in this graph, so no node has to be asked about."""
        return super().ops_to_not_decompose(ep)[0], None

    def get_matched_nodes_from_configs(self, ep: Any) -> list[list[Any]]:
        placeholders = ep.graph_signature.inputs_to_parameters
        return [
            nodes
            for nodes in super().get_matched_nodes_from_configs(ep)
            if not any(placeholders.get(used.name) in self._outside for node in nodes for used in node.all_input_nodes)
        ]


def lower_decoder(
    module: Decoder,
    partitioners: list[Partitioner],
    constants: Mapping[str, object],
    longest: int,
    file: Path,
    stages: Stages,
    emit: Emit,
) -> None:
    """Trace, lower and write `file`. `constants`: methods of the program that return a value each.

    One call of the program takes 1 to `longest` tokens.
    """
    from executorch.extension.llm.custom_ops import custom_ops  # noqa: F401  (defines llama::*)

    tokens = min(7, longest)
    lengths = {1: torch.export.Dim("length", min=1, max=longest)} if longest > 1 else None
    example = (torch.zeros((1, tokens), dtype=torch.long), torch.zeros(1, dtype=torch.long))
    with torch.no_grad():
        with timed(stages, "trace", emit):
            traced = torch.export.export(
                module, example, dynamic_shapes={"tokens": lengths, "input_pos": None}, strict=False
            )
        with timed(stages, "lower", emit):
            edge = to_edge_transform_and_lower(
                traced,
                partitioner=partitioners,
                constant_methods=dict(constants),
                compile_config=EdgeCompileConfig(_check_ir_validity=False, _skip_dim_order=True),
            )
        with timed(stages, "plan memory", emit):
            program = edge.to_executorch(ExecutorchBackendConfig(extract_delegate_segments=True))
    with timed(stages, "write", emit), file.open("wb") as out:
        program.write_to_file(out)
