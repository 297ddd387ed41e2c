"""Q6_K: 256 weights in 16 groups with scales of 8 bits. No torch.

128 bytes with the codes' low four bits, 64 bytes with their upper two, 16 signed scales, d. Each half of the block
packs its 128 codes by itself.
"""

from __future__ import annotations

import numpy as np

from edgeshrink.compress.grid.blocks.interface import (
    BlockGrid,
    Bytes,
    Factors,
    half_bytes,
    halves,
    whole_levels,
)
from edgeshrink.compress.grid.blocks.nibbles import joined, pack_fields, unpack_fields


def _unpack(blocks: Bytes) -> tuple[Bytes, Factors]:
    codes = joined(unpack_fields(blocks[:, :128], 4, 64), unpack_fields(blocks[:, 128:192], 2, 32), 4)
    scales = np.ascontiguousarray(blocks[:, 192:208]).view(np.int8).astype(np.int16)
    return codes, Factors(halves(blocks, 208), None, scales)


def _pack(codes: Bytes, factors: Factors) -> Bytes:
    if factors.scales is None:
        raise ValueError("Q6_K has scales")
    scales = factors.scales.astype(np.int8).view(np.uint8)
    return np.concatenate(
        (pack_fields(codes & 15, 4, 64), pack_fields(codes >> 4, 2, 32), scales, half_bytes(factors.d)), axis=1
    )


GRIDS = (BlockGrid("Q6_K", 16, whole_levels(-32, 64), _unpack, _pack),)
