"""An embedding table in 8 bits, in numpy: ONNX Runtime's GatherBlockQuantized without zero points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ZERO_POINT = 128
_ROWS_AT_ONCE = 4096


def eight_bit_rows(table: NDArray[Any], block_size: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Codes (rows, padded columns) around 128 and scales (rows, blocks): w is about scale * (code - 128)."""
    rows, columns = table.shape
    blocks = -(-columns // block_size)
    codes = np.full((rows, blocks * block_size), ZERO_POINT, np.uint8)
    scales = np.empty((rows, blocks), np.float32)
    for start in range(0, rows, _ROWS_AT_ONCE):
        part = np.zeros((min(_ROWS_AT_ONCE, rows - start), blocks * block_size), np.float32)
        part[:, :columns] = table[start : start + len(part)]
        cut = part.reshape(len(part), blocks, block_size)
        scale = np.abs(cut).max(axis=2) / 127
        steps = np.divide(cut, scale[..., None], out=np.zeros_like(cut), where=scale[..., None] > 0)
        codes[start : start + len(part)] = (np.rint(steps) + ZERO_POINT).reshape(len(part), -1)
        scales[start : start + len(part)] = scale
    return codes, scales
