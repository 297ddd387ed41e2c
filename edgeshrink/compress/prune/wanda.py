"""Wanda: of each row of a matrix the weights with the least |weight| * |input| become 0.

Sun et al. 2023, "A Simple and Effective Pruning Approach for Large Language Models", arXiv:2306.11695: the score of
W[i, j] is |W[i, j]| * |X_j|, X_j being all that entered column j on calibration text, compared within a row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def zeroed(block: NDArray[np.float32], inputs: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """`block` (rows, columns) with `share` of each row 0; `inputs` (columns,): sizes of what enters, up to a factor."""
    count = round(share * block.shape[1])
    if count == 0:
        return block
    order = np.argpartition(np.abs(block) * inputs, count - 1, axis=1)
    kept = block.copy()
    np.put_along_axis(kept, order[:, :count], np.float32(0), axis=1)
    return kept
