"""The file that a patch is: a line that says so, two lengths, the header as a zstd frame of JSON, then the pieces.

    edgeshrink-delta-1\\n | frame bytes: uint64 | JSON bytes: uint64 | frame | pieces, in the order of the operations

Numbers are little-endian. A piece that is a zstd frame is a whole one: `zstd -d` reads it (with `-D` its base).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from pydantic import TypeAdapter, ValidationError

from edgeshrink.bundle.archives.entries import pour_stream
from edgeshrink.bundle.delta.checking import check_header, packed_bytes
from edgeshrink.bundle.delta.packing import compressed, unpack
from edgeshrink.core.delta import DELTA_SCHEMA, PatchHeader
from edgeshrink.core.events import Listener
from edgeshrink.core.values import first_wrong
from edgeshrink.errors import DataError, UsageError

_MAGIC: Final = f"{DELTA_SCHEMA}\n".encode()
_LENGTHS: Final = struct.Struct("<QQ")
_MOST_HEADER_BYTES: Final = 16 << 20
_ADAPTER: TypeAdapter[PatchHeader] = TypeAdapter(PatchHeader)


def write_patch(place: Path, header: PatchHeader, pieces: BinaryIO, listener: Listener) -> None:
    """Write the new file `place`; `pieces` is read from its start."""
    text = _ADAPTER.dump_json(header, exclude_defaults=False)
    if len(text) > _MOST_HEADER_BYTES:
        raise UsageError(
            "the two builds differ in too many places for a patch", hint="hand out the new build as a whole"
        )
    frame = compressed(text)
    with place.open("xb") as file:
        file.write(_MAGIC + _LENGTHS.pack(len(frame), len(text)) + frame)
        pieces.seek(0)
        pour_stream(pieces, file.write, "writing the patch", listener)


@contextmanager
def opened_patch(path: Path) -> Iterator[tuple[PatchHeader, BinaryIO]]:
    """The header, checked, and the file where its pieces begin. DataError where it is no patch, or damaged."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="name a patch of edgeshrink delta") from error
    with file:
        header = _header(path, file)
        pieces = path.stat().st_size - file.tell()
        if (expected := packed_bytes(header)) != pieces:
            raise _damaged(path, f"it brings {pieces:,} bytes, and {expected:,} belong to it")
        yield header, file


def _header(path: Path, file: BinaryIO) -> PatchHeader:
    if file.read(len(_MAGIC)) != _MAGIC:
        raise DataError(f"{path} is not a patch of edgeshrink", hint="edgeshrink delta OLD NEW makes one")
    lengths = file.read(_LENGTHS.size)
    if len(lengths) != _LENGTHS.size:
        raise _damaged(path, "it is cut short")
    packed, nbytes = _LENGTHS.unpack(lengths)
    if max(packed, nbytes) > _MOST_HEADER_BYTES:
        raise _damaged(path, f"a header of {max(packed, nbytes):,} bytes is not read")
    frame = file.read(packed)
    try:
        header = _ADAPTER.validate_json(unpack(frame, nbytes))
        check_header(header)
    except ValidationError as error:
        raise _damaged(path, first_wrong(error)) from error
    except DataError as error:
        raise _damaged(path, error.message) from error
    return header


def _damaged(path: Path, why: str) -> DataError:
    return DataError(f"{path} is no sound patch: {why}", hint="fetch the patch again, from where it was made")
