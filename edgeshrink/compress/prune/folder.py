"""Writing a Hugging Face model folder tensor by tensor: never more of a tensor in memory than a block of its rows."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.huggingface import TOKENIZER_FILES
from edgeshrink.catalog.licence_files import find_licence_files
from edgeshrink.catalog.safetensors_headers import FLOATS, INDEX, SINGLE
from edgeshrink.core.events import Listener, Progress
from edgeshrink.core.model import ModelFacts
from edgeshrink.errors import NO_SPACE, NoSpace, StepFailed

SHARD_BYTES: Final = 5_000_000_000
BLOCK_NUMBERS: Final = 1 << 22
Blocks = Iterator[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class NewTensor:
    """`dtype` as safetensors spell it: BF16, F16, F32."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        return FLOATS[self.dtype] * math.prod(self.shape)


def float32_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` of a folder whose matrices are float32: transformers loads them as what it says."""
    return {**config, "dtype" if "dtype" in config else "torch_dtype": "float32"}


def write_folder(
    out: Path,
    config: Mapping[str, Any],
    tensors: Sequence[NewTensor],
    values: Callable[[int], Blocks],
    *,
    like: ModelFacts,
    listener: Listener,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """`out` becomes a model folder: weights in shards of at most `shard_bytes`, config.json last, and from the folder
    of `like` its tokenizer, generation settings and licences.

    `values(i)` gives the numbers of the i-th tensor, block after block of its rows, each rounded to its dtype.
    NoSpace, StepFailed: the disk is full, or the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write_weights(out, tensors, values, listener, shard_bytes)
        for file in (*(like.source.path / name for name in TOKENIZER_FILES), *find_licence_files(like.source.path)):
            if file.is_file():
                shutil.copyfile(file, out / file.name)
        (out / "config.json").write_text(json.dumps(dict(config), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        if error.errno in NO_SPACE:
            raise NoSpace(f"no room for the smaller model in {out}", hint="free some space") from error
        raise StepFailed(f"{out} cannot be written: {error.strerror or error}") from error


def _write_weights(
    out: Path, tensors: Sequence[NewTensor], values: Callable[[int], Blocks], listener: Listener, shard_bytes: int
) -> None:
    shards = _shards(tensors, shard_bytes)
    total, done = sum(tensor.nbytes for tensor in tensors), 0
    single = len(shards) == 1
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        name = SINGLE if single else f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        with (out / name).open("wb") as file:
            file.write(_header([tensors[index] for index in shard]))
            for index in shard:
                places[tensors[index].name] = name
                _write_tensor(file, tensors[index], values(index))
                done += tensors[index].nbytes
                listener(Progress("writing the smaller model", done, total, "bytes"))
    if not single:
        table = {"metadata": {"total_size": total}, "weight_map": places}
        (out / INDEX).write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def _write_tensor(file: BinaryIO, tensor: NewTensor, blocks: Blocks) -> None:
    written = sum(file.write(stored(block, tensor.dtype)) for block in blocks)
    if written != tensor.nbytes:
        raise StepFailed(f"{tensor.name} came out with {written:,} bytes, {tensor.nbytes:,} were announced")


def _shards(tensors: Sequence[NewTensor], most: int) -> list[list[int]]:
    shards: list[list[int]] = [[]]
    size = 0
    for index, tensor in enumerate(tensors):
        if shards[-1] and size + tensor.nbytes > most:
            shards.append([])
            size = 0
        shards[-1].append(index)
        size += tensor.nbytes
    return shards


def _header(tensors: Sequence[NewTensor]) -> bytes:
    """The safetensors header: its length, then JSON padded with spaces to a multiple of 8 bytes."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for tensor in tensors:
        end = offset + tensor.nbytes
        entries[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def stored(values: NDArray[np.float32], dtype: str) -> bytes:
    """`values` as little-endian numbers of `dtype`, rounded to the nearest, ties to even."""
    if dtype == "F32":
        return values.astype("<f4", copy=False).tobytes()
    if dtype == "F16":
        return values.astype("<f2").tobytes()
    bits = np.ascontiguousarray(values).view(np.uint32)
    rounded = (bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))) >> np.uint32(16)
    # Rounding up could turn a NaN's payload into infinity.
    upper = np.where(np.isnan(values), (bits >> np.uint32(16)) | np.uint32(0x40), rounded)
    return upper.astype("<u2").tobytes()


def row_blocks(rows: int, width: int, *, multiple: int = 1) -> Iterator[tuple[int, int]]:
    """Rows `first` to `last` (exclusive) of a matrix, about BLOCK_NUMBERS numbers at a time."""
    step = max(1, BLOCK_NUMBERS // width // multiple) * multiple
    for first in range(0, rows, step):
        yield first, min(rows, first + step)
