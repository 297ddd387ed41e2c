"""Magnitude pruning: of each matrix the weights nearest to 0 become 0.

Han et al. 2015, "Learning both Weights and Connections for Efficient Neural Networks", arXiv:1506.02626; one threshold
a matrix, exactly the asked share of it. The threshold is found by counting bit patterns (the absolute value of a float
orders as its bits do), so that no matrix needs to be in memory at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_HALF = 1 << 16


@dataclass(slots=True)
class Threshold:
    """All below `bits` go, and of those equal to it the first `ties`, which are counted down as they go."""

    bits: int
    ties: int

    def zeroed(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next block of the matrix, without what goes. Blocks come in order, each once."""
        size = _bits(block)
        gone = size < self.bits
        if self.ties:
            equal = np.flatnonzero(size == self.bits)[: self.ties]
            gone.reshape(-1)[equal] = True
            self.ties -= len(equal)
        return np.where(gone, np.float32(0), block)


def threshold(
    first_pass: Iterable[NDArray[np.float32]], second_pass: Iterable[NDArray[np.float32]], count: int
) -> Threshold:
    """That zeroes the `count` weights of least magnitude; both passes give all blocks of the matrix."""
    upper = _counted(_bits(block).reshape(-1) >> np.uint32(16) for block in first_pass)
    half, left = _place(upper, count)
    lower = _counted(_lower(_bits(block).reshape(-1), half) for block in second_pass)
    rest, ties = _place(lower, left)
    return Threshold(half << 16 | rest, ties)


def _lower(bits: NDArray[np.uint32], upper: int) -> NDArray[np.uint32]:
    return bits[bits >> np.uint32(16) == upper] & np.uint32(_HALF - 1)


def _counted(parts: Iterable[NDArray[np.uint32]]) -> NDArray[np.int64]:
    counts = np.zeros(_HALF, dtype=np.int64)
    for part in parts:
        counts += np.bincount(part, minlength=_HALF)
    return counts


def _place(counts: NDArray[np.int64], wanted: int) -> tuple[int, int]:
    """The bin in which the `wanted`-th number lies, and how many of that bin are wanted."""
    sums = np.cumsum(counts)
    place = int(np.searchsorted(sums, wanted))
    place = min(place, _HALF - 1)
    return place, wanted - int(sums[place] - counts[place])


def _bits(block: NDArray[np.float32]) -> NDArray[np.uint32]:
    return np.abs(np.ascontiguousarray(block)).view(np.uint32)
