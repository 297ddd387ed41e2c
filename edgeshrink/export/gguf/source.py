"""Bounded reading of weights: a slice of rows at a time, into a buffer the caller owns.

Files are read, never mapped: mapped pages count as resident memory. Each read opens the file anew, so slices can be
read by several threads at once, on every system, and a model of 200 shards holds no 200 open files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.model import SourceTensor
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.quant_types import quant_type
from edgeshrink.errors import DataError

Bytes = NDArray[np.uint8]
SOURCE_FLOATS = ("F32", "F16", "BF16")


@dataclass(frozen=True, slots=True)
class RowSlice:
    """Rows `first` to `first + count`, each of `width` weights. A vector is rows of one weight."""

    first: int
    count: int
    width: int

    @property
    def elements(self) -> int:
        return self.count * self.width


def row_slices(plan: TensorPlan, max_elements: int) -> Iterator[RowSlice]:
    """Slices of at most `max_elements` weights, but whole rows of one expert; where rows are permuted, whole heads or
    part of one."""
    width = plan.shape[-1] if len(plan.shape) > 1 else 1
    rows = plan.elements // width
    step = max(1, max_elements // width)
    block = rows // matrices(plan)
    if plan.transform == "rope_permute":
        head = _head_rows(plan)
        step = step // head * head if step >= head else max(2, step // 2 * 2)
        block = rows if step >= head else head
    for start in range(0, rows, block):
        for first in range(start, start + block, step):
            yield RowSlice(first, min(step, start + block - first), width)


def matrices(plan: TensorPlan) -> int:
    """How many matrices a tensor is: one, or one an expert."""
    return plan.shape[0] if len(plan.shape) > 2 else 1


def source_rows(plan: TensorPlan, part: RowSlice) -> tuple[tuple[int, int], ...]:
    """(first, count) of the source's rows that make up this slice of the artifact."""
    if plan.transform != "rope_permute":
        return ((part.first, part.count),)
    head = _head_rows(plan)
    start = part.first // head * head
    if part.count >= head:
        return ((part.first, part.count),)
    pair, pairs = (part.first - start) // 2, part.count // 2
    return ((start + pair, pairs), (start + head // 2 + pair, pairs))


def check_source_tensor(tensor: SourceTensor, plan: TensorPlan) -> None:
    """DataError where what the source holds is not what the plan expects of it."""
    if tensor.dtype not in SOURCE_FLOATS and tensor.dtype != plan.type:
        hint = f"a checkpoint in {', '.join(SOURCE_FLOATS)} is needed, one that is not quantized yet"
        raise DataError(f"{tensor.file}: tensor {tensor.name} is {tensor.dtype}", hint=hint)
    row = (tensor.shape or (1,))[-1] or 1
    if tensor.shape != plan.source_shape or tensor.nbytes != prod(tensor.shape) // row * _row_bytes(tensor.dtype, row):
        found = f"{tensor.dtype} {list(tensor.shape)} in {tensor.nbytes} bytes"
        raise DataError(
            f"{tensor.file}: tensor {tensor.name} is {found}, {plan.name} needs {list(plan.source_shape)}",
            hint="config.json and the weights do not belong together, or the file is damaged",
        )


def read_slice(tensor: SourceTensor, rows: tuple[tuple[int, int], ...], width: int, into: Bytes) -> Bytes:
    """The raw bytes of these (first, count) rows, floats or whole blocks, in the front of `into`; DataError where the
    file ends early."""
    row_bytes = _row_bytes(tensor.dtype, width)
    done = 0
    try:
        with tensor.file.open("rb", buffering=0) as file:
            for first, count in rows:
                file.seek(tensor.offset + first * row_bytes)
                end = done + count * row_bytes
                while done < end:
                    got = file.readinto(into[done:end].data)
                    if not got:
                        raise DataError(f"{tensor.file} ends inside tensor {tensor.name}", hint="fetch the file again")
                    done += got
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{tensor.file}: tensor {tensor.name} cannot be read: {reason}") from error
    return into[:done]


def interleave_halves(raw: Bytes, plan: TensorPlan, part: RowSlice, into: Bytes) -> Bytes:
    """Rows in Hugging Face's rotary order (first half of a head, second half) to llama.cpp's (pairs)."""
    block = min(_head_rows(plan), part.count)
    halves = raw.reshape(part.count // block, 2, block // 2, -1)
    out = into[: raw.size]
    np.copyto(out.reshape(part.count // block, block // 2, 2, -1), halves.swapaxes(1, 2))
    return out


def to_float32(raw: Bytes, dtype: str, part: RowSlice, into: NDArray[np.float32]) -> NDArray[np.float32]:
    """Raw weights of `dtype` as float32 (count, width), exactly."""
    values = into[: part.elements]
    if dtype == "BF16":
        bits: NDArray[Any] = values.view(np.uint32)
        np.copyto(bits, raw.view("<u2"))
        np.left_shift(bits, 16, out=bits)
    else:
        np.copyto(values, raw.view("<f2" if dtype == "F16" else "<f4"))
    return values.reshape(part.count, part.width)


def _row_bytes(dtype: str, width: int) -> int:
    return quant_type(dtype).row_bytes(width)


def _head_rows(plan: TensorPlan) -> int:
    head, rest = divmod(plan.shape[0], plan.heads) if plan.heads else (0, 1)
    if rest or head % 2:
        raise DataError(f"{plan.name}: {plan.shape[0]} rows are not {plan.heads} heads of an even number of rows")
    return head
