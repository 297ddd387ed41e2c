"""The pieces of a tensor in GRID_FILE where a format keeps codes and scales apart: ONNX and ExecuTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.grid import read_grid
from edgeshrink.core.grid import Grid
from edgeshrink.errors import DataError

CODES, SCALES, ZEROS = "codes", "scales", "zeros"


def packed(codes: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Codes of 4 bits two to a byte along the last axis, the first one low, as ONNX Runtime has them; 8 bits as they
    are. What fills up the last byte counts for 0: half of the range."""
    whole = codes.astype(np.uint8)
    if bits == 8:
        return whole
    if whole.shape[-1] % 2:
        whole = np.concatenate([whole, np.full_like(whole[..., :1], 8)], axis=-1)
    return np.ascontiguousarray(whole[..., ::2] | whole[..., 1::2] << 4)


def trained_for(folder: Path) -> Grid:
    """The codes in `folder`; DataError where it has none."""
    grid = read_grid(folder)
    if grid is None:
        raise DataError(f"{folder} has lost the codes that it was trained for", hint="train it for the grid again")
    return grid
