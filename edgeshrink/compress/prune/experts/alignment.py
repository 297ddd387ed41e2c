"""Which channel of one expert is which of another: before two are averaged, their channels are brought into one order.

Ainsworth et al. 2022, "Git Re-Basin: Merging Models modulo Permutation Symmetries", arXiv:2209.04836, weight matching;
for experts Li et al. 2023 (M-SMoE), arXiv:2310.01334: the order in which gate, up and down of both agree most. The
assignment is found by shortest augmenting paths (Jonker and Volgenant 1987). numpy only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Matrices = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Gate (ffn, hidden), up (ffn, hidden) and down (hidden, ffn) of one expert."""


def channel_order(lead: Matrices, other: Matrices) -> NDArray[np.int64]:
    """(ffn,): for each channel of `lead` the number of the channel of `other` that goes to its place."""
    gain = lead[0] @ other[0].T + lead[1] @ other[1].T + lead[2].T @ other[2]
    return assignment(-gain.astype(np.float64))


def assignment(costs: Floats) -> NDArray[np.int64]:
    """The column of each row of `costs` (n, n), each taken once, with the least sum."""
    size = len(costs)
    rows_potential, columns_potential = np.zeros(size), np.zeros(size + 1)
    row_of = np.full(size + 1, -1, dtype=np.int64)  # of a column; the last one is where a path begins
    for row in range(size):
        row_of[size] = row
        _augment(costs, rows_potential, columns_potential, row_of)
    found = np.empty(size, dtype=np.int64)
    found[row_of[:size]] = np.arange(size)
    return found


def _augment(costs: Floats, rows_potential: Floats, columns_potential: Floats, row_of: NDArray[np.int64]) -> None:
    """One more row gets its column: Dijkstra over reduced costs, from the row at the extra column."""
    size = len(costs)
    nearest, before = np.full(size, np.inf), np.full(size, size, dtype=np.int64)
    done = np.zeros(size + 1, dtype=bool)
    column = size
    while True:
        done[column] = True
        row = row_of[column]
        reduced = costs[row] - rows_potential[row] - columns_potential[:size]
        better = ~done[:size] & (reduced < nearest)
        nearest[better], before[better] = reduced[better], column
        following = int(np.argmin(np.where(done[:size], np.inf, nearest)))
        step = nearest[following]
        rows_potential[row_of[done]] += step
        columns_potential[done] -= step
        nearest[~done[:size]] -= step
        column = following
        if row_of[column] < 0:
            break
    while column != size:
        row_of[column], column = row_of[before[column]], int(before[column])
