"""What goes into an archive, whatever its kind."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edgeshrink.core.events import Listener, Progress

_CHUNK_BYTES = 4 << 20
_TOLD_FROM_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an archive: `name` with forward slashes; `source` is a file, or the content itself."""

    name: str
    source: Path | bytes
    program: bool = False

    @property
    def nbytes(self) -> int:
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size

    @property
    def mode(self) -> int:
        return 0o755 if self.program else 0o644


def tree(folder: Path, *, inside: str = "") -> Iterator[Entry]:
    """Every file below `folder`, in name order; `inside` is put before the names."""
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts):
        if path.is_file():
            program = bool(path.stat().st_mode & 0o100)
            yield Entry(f"{inside}{path.relative_to(folder).as_posix()}", path, program)


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.name)


def pour(entry: Entry, write: Callable[[bytes], object], listener: Listener) -> None:
    """The entry's bytes to `write`, a piece at a time."""
    if isinstance(entry.source, bytes):
        write(entry.source)
        return
    with entry.source.open("rb") as stream:
        pour_stream(stream, write, f"packing {Path(entry.name).name}", listener)


def pour_stream(stream: BinaryIO, write: Callable[[bytes], object], task: str, listener: Listener) -> None:
    """All of `stream` to `write`, 4 MiB at a time; large files are told about."""
    total, done = os.fstat(stream.fileno()).st_size, 0
    while chunk := stream.read(_CHUNK_BYTES):
        write(chunk)
        done += len(chunk)
        if total >= _TOLD_FROM_BYTES:
            listener(Progress(task, done, total, "bytes"))


def copy_hashed(source: Path, place: Path, listener: Listener) -> str:
    """Copy `source` to the new file `place` and return its sha256, reading it once."""
    digest = hashlib.sha256()
    place.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as stream, place.open("xb") as copy:

        def write(chunk: bytes) -> None:
            digest.update(chunk)
            copy.write(chunk)

        pour_stream(stream, write, f"copying {place.name}", listener)
    return digest.hexdigest()
