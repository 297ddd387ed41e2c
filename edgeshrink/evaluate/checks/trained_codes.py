"""Are the codes in a GGUF those that were trained? Byte for byte, but for the order of rows that llama.cpp wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.core.model import SourceTensor
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.quality import Check
from edgeshrink.core.quant_types import quant_type
from edgeshrink.errors import DataError
from edgeshrink.evaluate.checks.tensors import source_row

NAME = "trained codes"
_AT_ONCE = 8 << 20


def check_trained_codes(path: Path, plan: Sequence[TensorPlan], codes: Mapping[str, SourceTensor]) -> Check:
    """Every tensor of the file that `codes` (by the source's name, rows in its order) has, against them."""
    trained = [entry for entry in plan if entry.source in codes]
    try:
        written = {tensor.name: tensor for tensor in read_gguf_header(path).tensors}
        wrong = [entry.name for entry in trained if not _same(entry, written[entry.name], codes[entry.source])]
    except (DataError, OSError) as problem:
        return Check(NAME, "failed", str(problem))
    except KeyError as problem:
        return Check(NAME, "failed", f"tensor {problem} is missing")
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return Check(NAME, "failed", f"{wrong[0]}{more}: the file has other codes than those that were trained")
    return Check(NAME, "ok", f"{len(trained)} tensors hold exactly the codes that were trained")


def _same(plan: TensorPlan, written: SourceTensor, trained: SourceTensor) -> bool:
    if (written.dtype, written.shape, written.nbytes) != (trained.dtype, trained.shape, trained.nbytes):
        return False
    row_bytes = quant_type(trained.dtype).row_bytes(trained.shape[-1])
    rows = trained.nbytes // row_bytes
    # Rows change their places inside a head.
    head = plan.shape[0] // plan.heads if plan.transform == "rope_permute" else 1
    step = max(1, _AT_ONCE // row_bytes // head) * head
    for first in range(0, rows, step):
        last = min(rows, first + step)
        places = [source_row(plan, row) - first for row in range(first, last)]
        if not np.array_equal(_rows(written, first, last, row_bytes), _rows(trained, first, last, row_bytes)[places]):
            return False
    return True


def _rows(tensor: SourceTensor, first: int, last: int, row_bytes: int) -> NDArray[np.uint8]:
    with tensor.file.open("rb", buffering=0) as file:
        file.seek(tensor.offset + first * row_bytes)
        data = np.fromfile(file, np.uint8, (last - first) * row_bytes)
    if data.size != (last - first) * row_bytes:
        raise DataError(f"{tensor.file} ends inside tensor {tensor.name}")
    return data.reshape(-1, row_bytes)
