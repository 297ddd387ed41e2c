"""What a row of GGML blocks spells, taken apart: whole numbers and the few halves they are multiplied with. No torch.

Every type that quantizes is a scalar grid. A weight of group g in block b is

    d[b] * scales[g] * levels[code] - dmin[b] * mins[g]

Source of all layouts: ggml's block structures (`ggml-common.h`) and its `dequantize_row_*` functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.quant_types import quant_type

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Factors:
    """Of n blocks with `groups` groups each. `d`, `dmin` float16 (n,); `scales`, `mins` int16 (n, groups): the numbers
    that the file holds. `dmin` and `mins` are None where the type has none, `scales` where each block has one group,
    which d alone scales."""

    d: NDArray[np.float16]
    dmin: NDArray[np.float16] | None = None
    scales: NDArray[np.int16] | None = None
    mins: NDArray[np.int16] | None = None


@dataclass(frozen=True, slots=True)
class BlockGrid:
    """One type, in groups of `group` weights. `levels[code]`: what a code counts for, ascending.

    `unpack(blocks (n, bytes))` -> codes uint8 (n, elements), factors; `pack` is its inverse, bit for bit.
    """

    type: str
    group: int
    levels: tuple[float, ...]
    unpack: Callable[[Bytes], tuple[Bytes, Factors]]
    pack: Callable[[Bytes, Factors], Bytes]

    @property
    def elements(self) -> int:
        """Weights of a block."""
        return quant_type(self.type).block_elements


def halves(blocks: Bytes, first: int) -> NDArray[np.float16]:
    """The float16 at byte `first` of every block, (n,)."""
    return np.ascontiguousarray(blocks[:, first : first + 2]).view("<f2")[:, 0]


def half_bytes(values: NDArray[np.float16]) -> Bytes:
    """`halves` back: (n, 2)."""
    return np.ascontiguousarray(values, "<f2").view(np.uint8).reshape(-1, 2)


def whole_levels(first: int, count: int) -> tuple[float, ...]:
    """`count` whole numbers from `first` on."""
    return tuple(float(first + index) for index in range(count))
