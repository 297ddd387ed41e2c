"""How far the tensors of one GGUF are from those of another: where to look first for what a model lost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.core.importance import Floats
from edgeshrink.core.model import SourceTensor
from edgeshrink.core.quant_types import QUANT_TYPES
from edgeshrink.errors import DataError
from edgeshrink.ggml.quantize import dequantize

_SLICE_WEIGHTS = 1 << 20


def weight_errors(artifact: Path, reference: Path, *, listener: Listener = silent) -> dict[str, float]:
    """Of each tensor that stands in both in the same shape: its squared error, relative to the reference's squares.

    0.0 where every weight is the same; infinity where it cannot be told (a type that only newer tools read, weights
    that are not finite). Read slice by slice. DataError where a file is no sound GGUF.
    """
    theirs = {tensor.name: tensor for tensor in read_gguf_header(reference).tensors}
    pairs = [
        (tensor, theirs[tensor.name])
        for tensor in read_gguf_header(artifact).tensors
        if tensor.name in theirs and theirs[tensor.name].shape == tensor.shape
    ]
    total = sum(other.nbytes for _, other in pairs)
    found, done = {}, 0
    for tensor, other in pairs:
        found[tensor.name] = _error(tensor, other)
        done += other.nbytes
        listener(Progress("look for errors of weights", done, total, "bytes"))
    return found


def _error(tensor: SourceTensor, other: SourceTensor) -> float:
    if any(one.dtype not in QUANT_TYPES for one in (tensor, other)):
        return math.inf
    wrong = size = 0.0
    with np.errstate(all="ignore"):  # what is not finite is told as such
        for values, expected in zip(_values(tensor), _values(other), strict=True):
            wrong += float(np.sum((values.astype(np.float64) - expected) ** 2))
            size += float(np.sum(expected.astype(np.float64) ** 2))
    if not math.isfinite(wrong) or not math.isfinite(size):
        return math.inf
    return wrong / size if size else math.inf if wrong else 0.0


def _values(tensor: SourceTensor) -> Iterator[Floats]:
    """The weights as float32, as many rows at a time as the tensor's shape alone says."""
    row = tensor.shape[-1]
    row_bytes = QUANT_TYPES[tensor.dtype].row_bytes(row)
    left = math.prod(tensor.shape[:-1])
    with tensor.file.open("rb") as file:
        file.seek(tensor.offset)
        while left:
            count = min(left, max(1, _SLICE_WEIGHTS // row))
            raw = file.read(count * row_bytes)
            if len(raw) != count * row_bytes:
                raise DataError(f"{tensor.file} ends inside tensor {tensor.name}", hint="fetch the file again")
            yield dequantize(raw, tensor.dtype, row)
            left -= count
