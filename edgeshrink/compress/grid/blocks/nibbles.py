"""Codes of few bits in the orders that GGML packs them in. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.compress.grid.blocks.interface import Bytes


def unpack_fields(packed: NDArray[Any], bits: int, run: int) -> Bytes:
    """(n, bytes) as (n, bytes * 8 / bits): every `run` bytes hold the first `run` codes in their lowest bits, the next
    `run` in the bits above, and so on."""
    count = 8 // bits
    shifts = (np.arange(count, dtype=np.uint8) * bits)[:, None]
    parts = (packed.reshape(len(packed), -1, 1, run) >> shifts) & ((1 << bits) - 1)
    return np.ascontiguousarray(parts.reshape(len(packed), -1))


def pack_fields(codes: NDArray[Any], bits: int, run: int) -> Bytes:
    """`unpack_fields` back."""
    count = 8 // bits
    shifts = (np.arange(count, dtype=np.uint8) * bits)[:, None]
    parts = codes.reshape(len(codes), -1, count, run) << shifts
    return np.ascontiguousarray(np.bitwise_or.reduce(parts, axis=2).reshape(len(codes), -1))


def joined(low: Bytes, high: Bytes, bits: int) -> Bytes:
    """Codes of their lowest `bits` and of what lies above."""
    whole: Bytes = np.bitwise_or(low, np.left_shift(high, bits, dtype=np.uint8), dtype=np.uint8)
    return whole
