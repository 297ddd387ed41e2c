"""Products with a source's matrices, read a slice of rows at a time: memory stays bounded whatever their size."""

from __future__ import annotations

import numpy as np

from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.core.importance import Floats
from edgeshrink.core.model import SourceTensor
from edgeshrink.errors import DataError

_SLICE_BYTES = 32 << 20


def multiply(state: Floats, matrix: SourceTensor) -> Floats:
    """`state @ matrix.T`: (tokens, columns) and (rows, columns) to (tokens, rows)."""
    rows, columns = matrix.shape
    step = max(1, _SLICE_BYTES // (4 * columns))
    out = np.empty((len(state), rows), dtype=np.float32)
    for first in range(0, rows, step):
        last = min(rows, first + step)
        out[:, first:last] = state @ read_rows(matrix, first, last).T
    return out


def gated(gate: Floats, up: Floats) -> Floats:
    """SwiGLU: silu(gate) * up."""
    return gate * logistic(gate) * up


def logistic(values: Floats) -> Floats:
    """1 / (1 + exp(-values))."""
    with np.errstate(over="ignore"):  # exp of a large number: the quotient is then 0, as it should be
        found: Floats = np.reciprocal(1 + np.exp(-values), dtype=np.float32)
    return found


def vector(tensor: SourceTensor) -> Floats:
    """All of a small tensor, flat."""
    return read_rows(tensor).reshape(-1)


def need(tensor: SourceTensor | None, name: str) -> SourceTensor:
    """DataError where the source has no such tensor."""
    if tensor is None:
        raise DataError(f"the source has no tensor {name}")
    return tensor
