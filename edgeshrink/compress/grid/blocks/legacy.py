"""Blocks of 32 with one scale: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0. No torch.

The first 16 codes of a block lie in the low nibbles of its 16 bytes, the others in the high ones; the fifth bits of
Q5_0 and Q5_1 are 32 bits of their own, lowest first. Q4_1 and Q5_1 add a half, m, which is -dmin here.
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

_RUN = 16


def _grid(type: str, bits: int, *, minimum: bool) -> BlockGrid:
    head = 4 if minimum else 2
    fifth = 4 if bits == 5 else 0

    def unpack(blocks: Bytes) -> tuple[Bytes, Factors]:
        codes = unpack_fields(blocks[:, head + fifth :], 4, _RUN)
        if fifth:
            codes = joined(codes, np.unpackbits(blocks[:, head : head + fifth], axis=1, bitorder="little"), 4)
        if not minimum:
            return codes, Factors(halves(blocks, 0))
        return codes, Factors(halves(blocks, 0), -halves(blocks, 2), None, np.ones((len(blocks), 1), np.int16))

    def pack(codes: Bytes, factors: Factors) -> Bytes:
        parts = [half_bytes(factors.d)]
        if factors.dmin is not None:
            parts.append(half_bytes(-factors.dmin))
        if fifth:
            parts.append(np.packbits(codes >> 4, axis=1, bitorder="little"))
        return np.concatenate((*parts, pack_fields(codes & 15, 4, _RUN)), axis=1)

    first = 0 if minimum else -(1 << (bits - 1))
    return BlockGrid(type, 32, whole_levels(first, 1 << bits), unpack, pack)


def _unpack_q8(blocks: Bytes) -> tuple[Bytes, Factors]:
    return blocks[:, 2:] + np.uint8(128), Factors(halves(blocks, 0))


def _pack_q8(codes: Bytes, factors: Factors) -> Bytes:
    return np.concatenate((half_bytes(factors.d), codes - np.uint8(128)), axis=1)


GRIDS = (
    _grid("Q4_0", 4, minimum=False),
    _grid("Q4_1", 4, minimum=True),
    _grid("Q5_0", 5, minimum=False),
    _grid("Q5_1", 5, minimum=True),
    BlockGrid("Q8_0", 32, whole_levels(-128, 256), _unpack_q8, _pack_q8),
)
