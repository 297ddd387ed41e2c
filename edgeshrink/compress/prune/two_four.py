"""2:4 sparsity: of every four neighbouring weights of a row the two with the lower scores become 0.

Mishra et al. 2021, "Accelerating Sparse Deep Neural Networks", arXiv:2104.08378, by magnitude; with the sizes of the
inputs by |weight| * |input| (Sun et al. 2023, Wanda, arXiv:2306.11695). It is what NVIDIA's sparse tensor cores read;
no runtime that edgeshrink builds for uses it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GROUP = 4
ZEROS = 2


def zeroed(block: NDArray[np.float32], inputs: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """`block` (rows, columns), columns a multiple of 4, with two zeros in every four of a row."""
    scores = np.abs(block) if inputs is None else np.abs(block) * inputs
    order = np.argsort(scores.reshape(-1, GROUP), axis=1, kind="stable")
    kept = block.reshape(-1, GROUP).copy()
    np.put_along_axis(kept, order[:, :ZEROS], np.float32(0), axis=1)
    return kept.reshape(block.shape)
