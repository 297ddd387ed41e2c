"""Q2_K and Q3_K: 256 weights in 16 groups, each with a scale of few bits. No torch.

Q2_K: 16 bytes (scale in the low nibble, min in the high one), 64 bytes of codes, d, dmin.
Q3_K: 32 bytes with the codes' highest bits, 64 bytes with their low two, 12 bytes of sixteen 6-bit scales, d. A weight
whose highest bit is not set lies 4 lower.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeshrink.compress.grid.blocks.interface import (
    BlockGrid,
    Bytes,
    Factors,
    half_bytes,
    halves,
    whole_levels,
)
from edgeshrink.compress.grid.blocks.nibbles import joined, pack_fields, unpack_fields

_RUN = 32


def _unpack_q2(blocks: Bytes) -> tuple[Bytes, Factors]:
    both = blocks[:, :16]
    factors = Factors(
        halves(blocks, 80), halves(blocks, 82), (both & 15).astype(np.int16), (both >> 4).astype(np.int16)
    )
    return unpack_fields(blocks[:, 16:80], 2, _RUN), factors


def _pack_q2(codes: Bytes, factors: Factors) -> Bytes:
    if factors.scales is None or factors.mins is None or factors.dmin is None:
        raise ValueError("Q2_K has scales and mins")
    both = (factors.scales | (factors.mins << 4)).astype(np.uint8)
    return np.concatenate((both, pack_fields(codes, 2, _RUN), half_bytes(factors.d), half_bytes(factors.dmin)), axis=1)


def _unpack_q3(blocks: Bytes) -> tuple[Bytes, Factors]:
    low = unpack_fields(blocks[:, 32:96], 2, _RUN)
    high = unpack_fields(blocks[:, :32], 1, _RUN)
    return joined(low, high, 2), Factors(halves(blocks, 108), None, _six_bits(blocks[:, 96:108]))


def _pack_q3(codes: Bytes, factors: Factors) -> Bytes:
    if factors.scales is None:
        raise ValueError("Q3_K has scales")
    parts = (
        pack_fields(codes >> 2, 1, _RUN),
        pack_fields(codes & 3, 2, _RUN),
        _six_bit_bytes(factors.scales),
        half_bytes(factors.d),
    )
    return np.concatenate(parts, axis=1)


def _six_bits(packed: Bytes) -> NDArray[np.int16]:
    """Sixteen numbers of -32 to 31: low nibbles in bytes 0 to 7, the two bits above in bytes 8 to 11."""
    low = unpack_fields(packed[:, :8], 4, 8)
    high = unpack_fields(packed[:, 8:], 2, 4)
    return (low | (high << 4)).astype(np.int16) - 32


def _six_bit_bytes(scales: NDArray[np.int16]) -> Bytes:
    stored = (scales + 32).astype(np.uint8)
    return np.concatenate((pack_fields(stored & 15, 4, 8), pack_fields(stored >> 4, 2, 4)), axis=1)


GRIDS = (
    BlockGrid("Q2_K", 16, whole_levels(0, 4), _unpack_q2, _pack_q2),
    BlockGrid("Q3_K", 16, whole_levels(-4, 8), _unpack_q3, _pack_q3),
)
