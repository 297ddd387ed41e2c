"""A GGUF with some of its tensors as another GGUF has them: what comes back shows where a loss came from.

Streamed, and byte for byte: all keys, and every other tensor, are copied as they stand. Source of the format:
ggml/docs/gguf.md, version 3.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from edgeshrink.catalog.gguf_header import GgufHeader, read_gguf_header
from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.core.model import SourceTensor
from edgeshrink.errors import DataError
from edgeshrink.export.gguf.write import whole_file
from edgeshrink.planning.gguf_size import alignment, padded

_PIECE_BYTES = 4 << 20


def graft(artifact: Path, reference: Path, tensors: Collection[str], out: Path, *, listener: Listener = silent) -> None:
    """Write `artifact` to `out`, whole or not at all, with `tensors` (by their GGUF names) as `reference` has them.

    The same arguments give the same bytes. DataError: a file is no sound GGUF, or one of the tensors is not in both, or
    not of the same shape. NoSpace, StepFailed: `out` cannot be written.
    """
    header = read_gguf_header(artifact)
    chosen = _chosen(header, read_gguf_header(reference), frozenset(tensors), artifact, reference)
    align = alignment(header.metadata)
    infos = _infos(chosen, align)
    begin = padded(header.keys_end + len(infos), align)
    needed = begin + sum(padded(tensor.nbytes, align) for tensor in chosen)
    with whole_file(out, needed) as part, part.open("wb") as file:
        _copy(artifact, 0, header.keys_end, file)
        file.write(infos)
        file.write(bytes(begin - header.keys_end - len(infos)))
        for tensor in chosen:
            _copy(tensor.file, tensor.offset, tensor.nbytes, file)
            file.write(bytes(padded(tensor.nbytes, align) - tensor.nbytes))
            listener(Progress(f"graft {out.name}", file.tell(), needed, "bytes"))
        file.flush()
        os.fsync(file.fileno())


def _chosen(
    header: GgufHeader, other: GgufHeader, wanted: frozenset[str], artifact: Path, reference: Path
) -> tuple[SourceTensor, ...]:
    """The artifact's tensors in their order, those `wanted` from the other file."""
    theirs = {tensor.name: tensor for tensor in other.tensors}
    if missing := sorted(wanted - {tensor.name for tensor in header.tensors}):
        raise DataError(f"{artifact} has no tensor {missing[0]}", hint="name tensors as the file does")
    for tensor in header.tensors:
        if tensor.name not in wanted:
            continue
        found = theirs.get(tensor.name)
        if found is None or found.shape != tensor.shape:
            has = "has none of that name" if found is None else f"has it as {list(found.shape)}"
            raise DataError(
                f"{tensor.name} of {artifact} is {list(tensor.shape)}, and {reference} {has}",
                hint="the two files must come from the same model",
            )
    return tuple(theirs[tensor.name] if tensor.name in wanted else tensor for tensor in header.tensors)


def _infos(tensors: tuple[SourceTensor, ...], align: int) -> bytes:
    """The section that says where each tensor is: innermost dimension first, offsets from the beginning of the data."""
    from gguf import GGMLQuantizationType

    out, offset = bytearray(), 0
    for tensor in tensors:
        name = tensor.name.encode("utf-8")
        out += struct.pack("<Q", len(name)) + name
        out += struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *reversed(tensor.shape))
        out += struct.pack("<IQ", GGMLQuantizationType[tensor.dtype].value, offset)
        offset += padded(tensor.nbytes, align)
    return bytes(out)


def _copy(source: Path, offset: int, nbytes: int, into: BinaryIO) -> None:
    with source.open("rb") as file:
        file.seek(offset)
        while nbytes:
            piece = file.read(min(nbytes, _PIECE_BYTES))
            if not piece:
                raise DataError(f"{source} ends early", hint="fetch the file again")
            into.write(piece)
            nbytes -= len(piece)
