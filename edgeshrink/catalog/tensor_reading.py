"""Rows of a source tensor as float32, by bounded reads: never mapped, never more than was asked for."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.model import SourceTensor
from edgeshrink.errors import DataError

_STORED: dict[str, np.dtype[np.generic]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}


def read_rows(tensor: SourceTensor, first: int = 0, last: int | None = None) -> NDArray[np.float32]:
    """Rows `first` to `last` (exclusive) of the tensor, shape (rows, row length); a vector counts as one row.

    DataError where the dtype is not a float that converts exactly, or the file ends too early.
    """
    stored = _STORED.get(tensor.dtype)
    if stored is None:
        known = ", ".join(_STORED)
        raise DataError(f"{tensor.file}: tensor {tensor.name} is {tensor.dtype}, expected one of {known}")
    row = tensor.shape[-1]
    rows = math.prod(tensor.shape[:-1])
    last = rows if last is None else last
    if not 0 <= first <= last <= rows:
        raise ValueError(f"rows {first}:{last} of {tensor.name}, which has {rows}")
    wanted = (last - first) * row
    with tensor.file.open("rb", buffering=0) as file:
        file.seek(tensor.offset + first * row * stored.itemsize)
        raw = np.fromfile(file, dtype=stored, count=wanted)
    if raw.size != wanted:
        raise DataError(
            f"{tensor.file} ends inside tensor {tensor.name}: {raw.size} of {wanted} numbers are there",
            hint="fetch the file again",
        )
    return _to_float32(raw, tensor.dtype).reshape(last - first, row)


def _to_float32(raw: NDArray[np.generic], dtype: str) -> NDArray[np.float32]:
    if dtype == "BF16":  # the upper half of a float32
        return np.left_shift(raw.astype(np.uint32), 16).view(np.float32)
    return raw.astype(np.float32, copy=False)
