"""Importance matrices on disk: llama.cpp's `imatrix.gguf`, and the `.dat` that came before it.

Source: llama.cpp `tools/imatrix` (what is written) and `tools/quantize` (how sums become means).
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.compress.imatrix.legacy import parse_legacy
from edgeshrink.core.importance import Floats, Importance
from edgeshrink.core.model import SourceTensor
from edgeshrink.errors import DataError

_SUMS, _COUNTS = ".in_sum2", ".counts"
_DATASETS, _CHUNK_COUNT, _CHUNK_SIZE = "imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size"
_HINT = "give a file written by llama-imatrix (imatrix.gguf or .dat), or use --imatrix auto"


def read_importance(path: Path) -> Importance:
    """The importance matrix in `path`, in either format; DataError says what is wrong with it and where."""
    try:
        with path.open("rb") as file:
            is_gguf = file.read(4) == b"GGUF"
        importance = _read_gguf(path) if is_gguf else parse_legacy(path.read_bytes())
        _check_values(importance)
    except OSError as error:
        raise DataError(f"cannot read importance matrix {path}: {error.strerror or error}", hint=_HINT) from error
    except ValueError as error:
        raise DataError(f"{path} is not a usable importance matrix: {error}", hint=_HINT) from error
    return importance


def write_importance(path: Path, importance: Importance) -> None:
    """Write `path` as imatrix.gguf, atomically. What is read back is equal, to the bit."""
    import gguf

    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    writer = gguf.GGUFWriter(temporary, "")
    writer.kv_data[0].clear()  # an imatrix has no general.architecture
    try:
        writer.add_type(gguf.GGUFType.IMATRIX)
        # llama.cpp's quantize insists on the key, and gguf-py leaves out an empty array
        writer.add_array(_DATASETS, list(importance.datasets) or ["unknown"])
        writer.add_uint32(_CHUNK_COUNT, importance.chunk_count)
        writer.add_uint32(_CHUNK_SIZE, importance.chunk_size)
        for name in sorted(importance.sums):
            writer.add_tensor(name + _SUMS, np.ascontiguousarray(importance.sums[name], dtype=np.float32))
            writer.add_tensor(name + _COUNTS, importance.counts[name].astype(np.float32)[:, None])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        temporary.replace(path)
    finally:
        writer.close()
        temporary.unlink(missing_ok=True)


def _read_gguf(path: Path) -> Importance:
    header = read_gguf_header(path)
    kind = header.value("general.type")
    if kind != "imatrix":
        found = kind or header.value("general.architecture") or "unknown"
        raise ValueError(f"it is a GGUF of another kind ({found!r})")
    datasets, chunk_count, chunk_size = (header.value(key) for key in (_DATASETS, _CHUNK_COUNT, _CHUNK_SIZE))
    if not isinstance(datasets, tuple) or not isinstance(chunk_count, int) or not isinstance(chunk_size, int):
        raise ValueError(f"its header lacks {_DATASETS}, {_CHUNK_COUNT} or {_CHUNK_SIZE}")
    sums, counts = _pairs(header.tensors)
    return Importance(
        sums=sums,
        counts=counts,
        datasets=tuple(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in datasets),
        chunk_count=chunk_count,
        chunk_size=chunk_size,
    )


def _pairs(tensors: tuple[SourceTensor, ...]) -> tuple[dict[str, Floats], dict[str, NDArray[np.int64]]]:
    stored = {tensor.name: tensor for tensor in tensors}
    names = sorted({name.removesuffix(end) for name in stored for end in (_SUMS, _COUNTS) if name.endswith(end)})
    if not names:
        raise ValueError("it holds no sums")
    sums: dict[str, Floats] = {}
    counts: dict[str, NDArray[np.int64]] = {}
    for name in names:
        pair = [stored.get(name + end) for end in (_SUMS, _COUNTS)]
        if pair[0] is None or pair[1] is None:
            raise ValueError(f"{name} has sums without counts, or counts without sums")
        if any(tensor is not None and tensor.dtype != "F32" for tensor in pair):
            raise ValueError(f"sums and counts of {name} are not F32")
        counts[name] = np.rint(read_rows(pair[1]).reshape(-1)).astype(np.int64)
        if math.prod(pair[0].shape) % counts[name].size:
            raise ValueError(f"{name} has {math.prod(pair[0].shape)} sums for {counts[name].size} counts")
        sums[name] = read_rows(pair[0]).reshape(counts[name].size, -1)
    return sums, counts


def _check_values(importance: Importance) -> None:
    for name, sums in importance.sums.items():
        if not np.isfinite(sums).all() or (sums < 0).any():
            raise ValueError(f"{name} holds values that are negative or not finite")
        if (importance.counts[name] < 0).any():
            raise ValueError(f"{name} has a negative count")
