"""Where a tensor of a model's files stands among the parameters that transformers holds: experts are stacked in memory.

transformers 5 holds the experts of a layer as `mlp.experts.gate_up_proj` (experts, 2 * ffn, hidden), gate before up,
and `mlp.experts.down_proj` (experts, hidden, ffn); files have a tensor for each matrix of each expert. A Mixtral's
files say `block_sparse_moe` where the module says `mlp`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from edgeshrink.core.architectures import ARCHITECTURES

_EXPERT = re.compile(r"(model\.layers\.\d+)\.([a-z_]+)\.experts\.(\d+)\.([a-z0-9_]+)\.weight")


@dataclass(frozen=True, slots=True)
class Held:
    """`parameter` holds it: whole, or `expert`'s part of it, of `halves` pieces of its rows the `half`-th."""

    parameter: str
    expert: int | None = None
    half: int = 0
    halves: int = 1

    def of(self, whole: Any) -> Any:
        """The tensor itself, a view of the parameter's array `whole`."""
        if self.expert is None:
            return whole
        matrix = whole[self.expert]
        rows = matrix.shape[0] // self.halves
        return matrix[self.half * rows : (self.half + 1) * rows]


def held(model_type: str, name: str) -> Held:
    """Of the tensor `name` in the files of a `model_type`."""
    names = ARCHITECTURES[model_type].experts
    if names is None:
        return Held(name)
    match = _EXPERT.fullmatch(name)
    if match is not None and match[2] == names.block and match[4] in names.matrices:
        gate, up, _ = names.matrices
        prefix, expert = f"{match[1]}.mlp.experts", int(match[3])
        if match[4] in (gate, up):
            return Held(f"{prefix}.gate_up_proj", expert, (gate, up).index(match[4]), 2)
        return Held(f"{prefix}.down_proj", expert)
    return Held(name.replace(f".{names.block}.", ".mlp."))
