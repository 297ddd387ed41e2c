"""IQ4_NL and IQ4_XS: four bits whose 16 levels are not evenly spaced. No torch.

IQ4_NL is packed as Q4_0. IQ4_XS: d, eight 6-bit scales (upper two bits of all in 2 bytes, low four in 4 bytes), then
eight groups of 32 packed as Q4_0's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeshrink.compress.grid.blocks.interface import BlockGrid, Bytes, Factors, half_bytes, halves
from edgeshrink.compress.grid.blocks.nibbles import pack_fields, unpack_fields

LEVELS = (-127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0, 89.0, 113.0)
"""ggml's `kvalues_iq4nl`."""
_RUN = 16
_PLACES = np.arange(8, dtype=np.uint16) * 2


def _unpack_nl(blocks: Bytes) -> tuple[Bytes, Factors]:
    return unpack_fields(blocks[:, 2:], 4, _RUN), Factors(halves(blocks, 0))


def _pack_nl(codes: Bytes, factors: Factors) -> Bytes:
    return np.concatenate((half_bytes(factors.d), pack_fields(codes, 4, _RUN)), axis=1)


def _unpack_xs(blocks: Bytes) -> tuple[Bytes, Factors]:
    high = (np.ascontiguousarray(blocks[:, 2:4]).view("<u2") >> _PLACES) & 3
    low = unpack_fields(blocks[:, 4:8], 4, 1)
    scales = (low | (high << 4)).astype(np.int16) - 32
    return unpack_fields(blocks[:, 8:], 4, _RUN), Factors(halves(blocks, 0), None, scales)


def _pack_xs(codes: Bytes, factors: Factors) -> Bytes:
    if factors.scales is None:
        raise ValueError("IQ4_XS has scales")
    stored: NDArray[np.uint16] = (factors.scales + 32).astype(np.uint16)
    high = np.bitwise_or.reduce((stored >> 4) << _PLACES, axis=1, keepdims=True)
    low = pack_fields((stored & 15).astype(np.uint8), 4, 1)
    upper = np.ascontiguousarray(high.astype("<u2")).view(np.uint8)
    return np.concatenate((half_bytes(factors.d), upper, low, pack_fields(codes, 4, _RUN)), axis=1)


GRIDS = (
    BlockGrid("IQ4_NL", 32, LEVELS, _unpack_nl, _pack_nl),
    BlockGrid("IQ4_XS", 32, LEVELS, _unpack_xs, _pack_xs),
)
