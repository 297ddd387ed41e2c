"""Whether the header of a patch says something that can be done: it may be anybody's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from edgeshrink.bundle.archives.reading import safe_name
from edgeshrink.bundle.delta.windows import held_bytes, stored_gzip_bytes
from edgeshrink.core.delta import (
    MOST_BASE_BYTES,
    Copy,
    Fresh,
    KeptFile,
    Operation,
    PatchHeader,
    Place,
    Which,
    WrittenFile,
)
from edgeshrink.errors import DataError

_LONGEST_NAME = 1024


def check_header(header: PatchHeader) -> None:
    """DataError says what in it cannot be."""
    if header.kind == "file" and (len(header.old), len(header.new), len(header.folders)) != (1, 1, 0):
        raise DataError("it is for one file, and names others")
    _check_names(file.name for file in header.old)
    _check_names([*(file.name for file in header.new), *header.folders])
    for old in header.old:
        for layer in old.layers:
            if layer.start + layer.nbytes > old.nbytes or held_bytes(layer.nbytes) is None:
                raise DataError(f"{old.name} holds no gzip file of {layer.nbytes:,} bytes at {layer.start:,}")
    sizes: list[int] = []
    for file in header.new:
        if isinstance(file, KeptFile):
            sizes.append(_size_of(header, sizes, file.of, file.file))
            _check_digest(header, file.of, file.file)
        else:
            _check_written(header, sizes, file)
            sizes.append(file.nbytes)


def new_sizes(header: PatchHeader) -> tuple[int, ...]:
    """How long each new file is."""
    sizes: list[int] = []
    for file in header.new:
        sizes.append(_size_of(header, sizes, file.of, file.file) if isinstance(file, KeptFile) else file.nbytes)
    return tuple(sizes)


def packed_bytes(header: PatchHeader) -> int:
    """How much the pieces take in the patch."""
    return sum(operation.packed for operation in _operations(header) if isinstance(operation, Fresh))


def fresh_bytes(header: PatchHeader) -> int:
    """How much they bring."""
    return sum(operation.nbytes for operation in _operations(header) if isinstance(operation, Fresh))


def operation_bytes(operation: Operation) -> int:
    return operation.place.nbytes if isinstance(operation, Copy) else operation.nbytes


def _operations(header: PatchHeader) -> Iterator[Operation]:
    for file in header.new:
        if isinstance(file, WrittenFile):
            for part in file.parts:
                yield from part.operations


def _check_written(header: PatchHeader, before: list[int], file: WrittenFile) -> None:
    written = 0
    for part in file.parts:
        held = 0
        for operation in part.operations:
            place = operation.place if isinstance(operation, Copy) else operation.base
            if place is not None:
                so_far = -1 if part.gzip else written + held
                _check_place(header, before, so_far, place, base=isinstance(operation, Fresh))
            if isinstance(operation, Fresh):
                _check_fresh(file.name, operation)
            held += operation_bytes(operation)
        written += stored_gzip_bytes(held) if part.gzip else held
    if written != file.nbytes:
        raise DataError(f"{file.name} would be {written:,} bytes long, and should be {file.nbytes:,}")


def _check_fresh(name: str, fresh: Fresh) -> None:
    plain = fresh.packed == fresh.nbytes and fresh.base is None
    if not (fresh.packed < fresh.nbytes if fresh.zstd else plain):
        raise DataError(f"{name}: {fresh.nbytes:,} bytes cannot be packed in {fresh.packed:,}")


def _check_place(header: PatchHeader, before: list[int], so_far: int, place: Place, *, base: bool) -> None:
    """`so_far`: what is written of the file that `place` is for, and may be read again."""
    own = place.of == "new" and place.file == len(before)
    size = so_far if own else _size_of(header, before, place.of, place.file)
    if place.layer is not None:
        layers = header.old[place.file].layers if place.of == "old" else ()
        if place.layer >= len(layers):
            raise DataError("a part of a gzip file is named that is not there")
        size = held_bytes(layers[place.layer].nbytes) or 0
    if place.at + place.nbytes > size:
        raise DataError(f"{place.nbytes:,} bytes at {place.at:,} of a file of {size:,} are named")
    if base and (place.of != "old" or place.nbytes > MOST_BASE_BYTES):
        raise DataError("the base of a piece is too large, or not in the old build")
    _check_digest(header, place.of, place.file)


def _check_digest(header: PatchHeader, of: Which, file: int) -> None:
    if of == "old" and header.old[file].sha256 is None:
        raise DataError(f"{header.old[file].name} is needed, and its digest is missing")


def _size_of(header: PatchHeader, before: list[int], of: Which, file: int) -> int:
    if file >= len(before if of == "new" else header.old):
        raise DataError("a file is named that is not there, or not yet")
    return before[file] if of == "new" else header.old[file].nbytes


def _check_names(names: Iterable[str]) -> None:
    seen: set[str] = set()
    folders: set[str] = set()
    for name in names:
        if len(name) > _LONGEST_NAME or not safe_name(name):
            raise DataError(f"the name {name[:200]!r} leads out of the folder")
        if name in seen:
            raise DataError(f"{name} is named twice")
        seen.add(name)
        folders |= {parent.as_posix() for parent in PurePosixPath(name).parents[:-1]}
    if both := sorted(seen & folders):
        raise DataError(f"{both[0]} is a file and a folder")
