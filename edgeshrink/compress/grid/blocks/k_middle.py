"""Q4_K and Q5_K: 256 weights in 8 groups, each with a scale and a min of 6 bits. No torch.

d, dmin, 12 bytes of scales and mins, for Q5_K 32 bytes with the codes' fifth bits, 128 bytes with their low four. Of
scales and mins the first four of each have bytes of their own (0 to 3, 4 to 7); their upper two bits are those of the
last four, whose low four share bytes 8 to 11.
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


def _unpack(blocks: Bytes) -> tuple[Bytes, Factors]:
    scales, mins = _scales_and_mins(blocks[:, 4:16])
    codes = unpack_fields(blocks[:, -128:], 4, _RUN)
    if blocks.shape[1] > 144:
        codes = joined(codes, unpack_fields(blocks[:, 16:48], 1, _RUN), 4)
    return codes, Factors(halves(blocks, 0), halves(blocks, 2), scales, mins)


def _pack_as(bits: int, codes: Bytes, factors: Factors) -> Bytes:
    if factors.scales is None or factors.mins is None or factors.dmin is None:
        raise ValueError(f"Q{bits}_K has scales and mins")
    parts = [half_bytes(factors.d), half_bytes(factors.dmin), _scale_bytes(factors.scales, factors.mins)]
    if bits == 5:
        parts.append(pack_fields(codes >> 4, 1, _RUN))
    return np.concatenate((*parts, pack_fields(codes & 15, 4, _RUN)), axis=1)


def _pack_q4(codes: Bytes, factors: Factors) -> Bytes:
    return _pack_as(4, codes, factors)


def _pack_q5(codes: Bytes, factors: Factors) -> Bytes:
    return _pack_as(5, codes, factors)


def _scales_and_mins(packed: Bytes) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    first, second, shared = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    scales = np.concatenate((first & 63, (shared & 15) | (first >> 6 << 4)), axis=1)
    mins = np.concatenate((second & 63, (shared >> 4) | (second >> 6 << 4)), axis=1)
    return scales.astype(np.int16), mins.astype(np.int16)


def _scale_bytes(scales: NDArray[np.int16], mins: NDArray[np.int16]) -> Bytes:
    ours, its = scales.astype(np.uint8), mins.astype(np.uint8)
    first = ours[:, :4] | (ours[:, 4:] >> 4 << 6)
    second = its[:, :4] | (its[:, 4:] >> 4 << 6)
    return np.concatenate((first, second, (ours[:, 4:] & 15) | ((its[:, 4:] & 15) << 4)), axis=1)


GRIDS = (
    BlockGrid("Q4_K", 32, whole_levels(0, 16), _unpack, _pack_q4),
    BlockGrid("Q5_K", 32, whole_levels(0, 32), _unpack, _pack_q5),
)
