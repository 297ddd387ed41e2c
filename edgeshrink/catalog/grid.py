"""The codes beside a model that was trained for a grid, and the text that proves them: headers and single arrays.

GRID_FILE is a safetensors file. Its metadata has one entry, TOLD, as JSON: `format`, `scheme`, `settings`, `weights`
(the sha256 of the weights that it spells) and `tensors` (name -> [type, shape]). Its arrays are named tensor/piece.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.safetensors_headers import weight_files
from edgeshrink.core.grid import GRID_FILE, PROBE_FILE, Grid, GridTensor
from edgeshrink.core.model import SourceTensor
from edgeshrink.core.quant_types import STORAGE_TYPES
from edgeshrink.errors import DataError

BLOCKS = "blocks"
"""GGUF's one piece of a tensor: uint8 (rows, bytes of a row)."""
TOKENS, LOGITS = "tokens", "logits"
TOLD = "grid"
_HINT = "train it for the grid again: edgeshrink distill --objective grid"
_NUMBERS: Mapping[str, np.dtype[Any]] = {
    "U8": np.dtype(np.uint8),
    "I8": np.dtype(np.int8),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "I32": np.dtype("<i4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "F32": np.dtype("<f4"),
}


def read_grid(folder: Path) -> Grid | None:
    """What the model in `folder` was trained for; None where that is nothing. No code is read.

    DataError where its weights are not those that the codes spell, or the file is not whole.
    """
    file = folder / GRID_FILE
    if not file.is_file():
        return None
    metadata, arrays = _header(file)
    try:
        told = json.loads(metadata[TOLD])
        if told["weights"] != weights_digest(folder):
            raise DataError(
                f"the weights in {folder} were changed after they were trained for {told['scheme']}",
                hint=f"delete {GRID_FILE} to have them rounded anew, or {_HINT}",
            )
        tensors = tuple(_tensor(name, type, shape, arrays) for name, (type, shape) in sorted(told["tensors"].items()))
        return Grid(file, told["format"], told["scheme"], tuple(sorted(told["settings"].items())), tensors)
    except (KeyError, ValueError, TypeError, AttributeError) as problem:
        raise DataError(f"{file} is no file of codes that edgeshrink wrote: {problem!r}", hint=_HINT) from problem


def source_tensors(grid: Grid) -> dict[str, SourceTensor]:
    """GGUF's blocks as tensors of their type, by the names of the weights they stand for. DataError for a grid of
    another format, or blocks of another size."""
    found = {}
    for tensor in grid.tensors:
        place = next((piece for piece in tensor.pieces if piece[0] == BLOCKS), None)
        type = STORAGE_TYPES[tensor.type]
        needed = math.prod(tensor.shape[:-1]) * type.row_bytes(tensor.shape[-1])
        if place is None or place[4] != needed or not type.takes_row(tensor.shape[-1]):
            raise DataError(f"{grid.file}: {tensor.name} has no blocks of {tensor.type}", hint=_HINT)
        found[tensor.name] = SourceTensor(tensor.name, tensor.shape, tensor.type, grid.file, place[3], needed)
    return found


def read_piece(grid: Grid, tensor: str, piece: str) -> NDArray[Any]:
    """One array of codes or factors; BF16 as its 16 bits. DataError where the file has none of that name."""
    for held in grid.tensors:
        for name, dtype, shape, offset, _ in held.pieces:
            if (held.name, name) == (tensor, piece):
                count = math.prod(shape)
                with grid.file.open("rb", buffering=0) as file:
                    file.seek(offset)
                    values = np.fromfile(file, _NUMBERS[dtype], count)
                if values.size != count:
                    raise DataError(f"{grid.file} ends inside {tensor}", hint=_HINT)
                return values.reshape(shape)
    raise DataError(f"{grid.file} has no {piece} of {tensor}", hint=_HINT)


def read_probe(folder: Path) -> tuple[NDArray[np.int32], NDArray[np.float32]] | None:
    """(tokens (n,), logits (n, vocabulary)) that the model in `folder` gave as it was rounded; None where nothing
    was kept."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    file = folder / PROBE_FILE
    if not file.is_file():
        return None
    try:
        held = load_file(file)
        tokens, logits = held[TOKENS], held[LOGITS]
    except (SafetensorError, OSError, KeyError) as problem:
        raise DataError(f"{file} cannot be read: {problem}", hint=_HINT) from problem
    if tokens.dtype != np.int32 or logits.dtype != np.float32 or tokens.shape != logits.shape[:1] or logits.ndim != 2:
        raise DataError(f"{file} holds no tokens with their logits", hint=_HINT)
    return tokens, logits


def weights_digest(folder: Path) -> str:
    """sha256 over the contents of the weight files, in name order."""
    digest = hashlib.sha256()
    for path in weight_files(folder):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _header(file: Path) -> tuple[dict[str, str], dict[str, tuple[str, tuple[int, ...], int, int]]]:
    """Metadata, and (dtype, shape, offset in the file, bytes) of each array by its name."""
    from safetensors import SafetensorError, safe_open

    try:
        with file.open("rb") as stream:
            at = 8 + int.from_bytes(stream.read(8), "little")
        arrays = {}
        with safe_open(str(file), framework="numpy") as handle:
            for name in handle.offset_keys():
                view = handle.get_slice(name)
                shape, dtype = tuple(view.get_shape()), str(view.get_dtype())
                nbytes = _NUMBERS[dtype].itemsize * math.prod(shape)
                arrays[name] = (dtype, shape, at, nbytes)
                at += nbytes
            return dict(handle.metadata() or {}), arrays
    except (SafetensorError, OSError, KeyError) as problem:
        raise DataError(f"{file} is not whole: {problem}", hint=_HINT) from problem


def _tensor(
    name: str, type: str, shape: list[int], arrays: Mapping[str, tuple[str, tuple[int, ...], int, int]]
) -> GridTensor:
    pieces = tuple(
        (key.removeprefix(f"{name}/"), *array) for key, array in arrays.items() if key.startswith(f"{name}/")
    )
    if type not in STORAGE_TYPES or not pieces:
        raise ValueError(f"{name}: {type}")
    return GridTensor(name, type, tuple(int(size) for size in shape), pieces)
