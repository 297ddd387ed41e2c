"""One slice of one tensor, from the source's bytes to the artifact's. Runs in a worker thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.model import SourceTensor
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.quant_types import quant_type
from edgeshrink.errors import StepFailed
from edgeshrink.export.gguf.source import RowSlice, interleave_halves, matrices, read_slice, source_rows, to_float32
from edgeshrink.ggml.quantize import check_blocks, check_finite, quantize_into

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


def _no_bytes() -> Bytes:
    return np.empty(0, np.uint8)


@dataclass(slots=True)
class Workspace:
    """The buffers of one slice in flight, used again by the next: fresh memory costs more than the conversion."""

    raw: Bytes = field(default_factory=_no_bytes)
    reordered: Bytes = field(default_factory=_no_bytes)
    values: Floats = field(default_factory=lambda: np.empty(0, np.float32))
    out: Bytes = field(default_factory=_no_bytes)

    def make_room(self, elements: int) -> None:
        """Pages that are never written are never resident, so room for the widest type costs nothing."""
        if self.values.size < elements:
            self.raw, self.reordered, self.out = (np.empty(4 * elements, np.uint8) for _ in range(3))
            self.values = np.empty(elements, np.float32)


def encode_slice(
    plan: TensorPlan,
    part: RowSlice,
    source: SourceTensor | Floats,
    importance: Floats | None,
    space: Workspace,
) -> memoryview:
    """The artifact's bytes of these rows, inside `space.out` (or where they were read to, if nothing changes)."""
    space.make_room(part.elements)
    try:
        return _encode(plan, part, source, importance, space).data
    except StepFailed as error:
        where = f"{source.file}: tensor {source.name}" if isinstance(source, SourceTensor) else "computed"
        raise StepFailed(f"{plan.name} ({where}): {error.message}", hint=error.hint) from error


def _encode(
    plan: TensorPlan, part: RowSlice, source: SourceTensor | Floats, importance: Floats | None, space: Workspace
) -> Bytes:
    if not isinstance(source, SourceTensor):
        rows = np.ascontiguousarray(source.reshape(-1, part.width)[part.first : part.first + part.count], np.float32)
        check_finite(rows)
        return _quantized(plan, rows, importance, space)
    raw = read_slice(source, source_rows(plan, part), part.width, space.raw)
    if quant_type(source.dtype).is_quantized:
        check_blocks(raw, source.dtype)
    else:
        check_finite(raw, source.dtype)
    if plan.transform == "rope_permute":
        raw = interleave_halves(raw, plan, part, space.reordered)
    if source.dtype == plan.type:
        return raw
    return _quantized(plan, to_float32(raw, source.dtype, part, space.values), importance, space)


def _quantized(plan: TensorPlan, values: Floats, importance: Floats | None, space: Workspace) -> Bytes:
    rows, row = values.shape
    out = space.out[: rows * quant_type(plan.type).row_bytes(row)]
    quantize_into(out, values, plan.type, importance)
    return out


def importance_of(plan: TensorPlan, importance: Mapping[str, NDArray[Any]] | None) -> Floats | None:
    """The column weights of a tensor that is quantized, (matrices, columns); None without. StepFailed where they do not
    fit its rows."""
    found = importance.get(plan.name) if importance and quant_type(plan.type).is_quantized else None
    if found is None:
        return None
    row, wanted = plan.shape[-1], matrices(plan) * plan.shape[-1]
    if found.size != wanted:
        # an imatrix may carry counts of tokens for the embedding; llama.cpp passes over them too
        if plan.name == "token_embd.weight":
            return None
        each = f", of {matrices(plan)} experts" if wanted != row else ""
        message = f"the imatrix has {found.size} columns for {plan.name}, whose rows have {row}{each}"
        raise StepFailed(message, hint="this imatrix was made for another model")
    return np.ascontiguousarray(found.reshape(-1, row), np.float32)
