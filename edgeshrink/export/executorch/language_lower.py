"""From the decoder to an ExecuTorch program, with the delegate that was asked for. Imports torch and executorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from executorch.exir.backend.partitioner import Partitioner

from edgeshrink.export.executorch.decoder import Decoder
from edgeshrink.export.executorch.delegates import coreml, unknown, vulkan
from edgeshrink.export.executorch.lower import SHORT, QuickPartitioner, lower
from edgeshrink.runtimes.job_stages import Stages

# Delegates without kernels that quantize activations while they run.
WEIGHT_ONLY = ("coreml", "vulkan")
# Core ML takes tensors only: what has to do with the position as a number (its checks, where the rows of the rotary
# tables begin) is left outside. Its partitioner wants small letters.
_NUMBERS = (
    "aten.slice_copy.tensor",
    "aten.item.default",
    "item.default",
    "_local_scalar_dense.default",
    "aten._local_scalar_dense.default",
    "_assert_scalar.default",
    "sym_size.int",
    *("add", "sub", "mul", "ge", "le", "gt", "lt", "eq", "and_"),
)


class DecoderPartitioner(QuickPartitioner):
    """XNNPACK for a decoder, which has no convolutions, no batch norm and no layouts: the short way for every piece.

    `outside`: names of parameters whose product stays with the runtime's own kernels.
    """

    def __init__(self, outside: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.delegation_spec = SHORT
        self._outside = outside

    def get_matched_nodes_from_configs(self, ep: Any) -> list[list[Any]]:
        placeholders = ep.graph_signature.inputs_to_parameters
        return [
            nodes
            for nodes in super().get_matched_nodes_from_configs(ep)
            if not any(placeholders.get(used.name) in self._outside for node in nodes for used in node.all_input_nodes)
        ]


def lower_decoder(
    module: Decoder, delegate: str, constants: Mapping[str, object], longest: int, file: Path, stages: Stages
) -> None:
    """Trace, lower and write `file`. `constants`: methods of the program that return a value each.

    One call of the program takes 1 to `longest` tokens. PlanError for a delegate that is not known.
    """
    from executorch.extension.llm.custom_ops import custom_ops  # noqa: F401  (defines llama::*)

    partitioner = _partitioner(delegate, module, longest)
    tokens = min(7, longest)
    lengths = {1: torch.export.Dim("length", min=1, max=longest)} if longest > 1 else None
    example = (torch.zeros((1, tokens), dtype=torch.long), torch.zeros(1, dtype=torch.long))
    with torch.no_grad():
        stages.begin("trace")
        traced = torch.export.export(
            module, example, dynamic_shapes={"tokens": lengths, "input_pos": None}, strict=False
        )
        program = lower(traced, partitioner, constants, "lower", stages)
    stages.begin("write")
    with file.open("wb") as out:
        program.write_to_file(out)


def _partitioner(delegate: str, module: Decoder, longest: int) -> Partitioner:
    if delegate == "xnnpack":
        # A table is looked up by a kernel of the runtime, which cannot read what XNNPACK has: it would stand twice.
        return DecoderPartitioner(("embedding.weight", "head.table.weight") if module.share_table() else ())
    if delegate == "coreml":
        # Half precision is what the plans for Core ML say. The cache stays with ExecuTorch's own kernels.
        return coreml(half=True, outside=_NUMBERS)
    if delegate == "vulkan":
        return vulkan(dynamic=longest > 1)
    raise unknown(delegate)
