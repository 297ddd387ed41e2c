"""Tar files, plain or as `.tar.gz` of stored blocks. Owned by root, without times."""

from __future__ import annotations

import struct
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from edgeshrink.bundle.archives.entries import Entry, pour
from edgeshrink.core.events import Listener, silent

BLOCK_BYTES = 0xFFFF
GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def write_tar_gz(path: Path, entries: Iterable[Entry], *, listener: Listener = silent) -> None:
    """Write the new file `path`: a gzip file that holds a tar of `entries`, folders before what is in them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        write_tar_gz_to(file, entries, listener=listener)
    path.chmod(0o644)


def write_tar_gz_to(
    file: BinaryIO, entries: Iterable[Entry], *, dotted: bool = False, mtime: int = 0, listener: Listener = silent
) -> None:
    """The same into an open file. `dotted`: names begin with "./", as in a .deb. `mtime`: seconds since 1970."""
    stored = StoredGzip(file)
    write_tar_to(stored, entries, dotted=dotted, mtime=mtime, listener=listener)
    stored.finish()


def write_tar_to(
    stream: StoredGzip | BinaryIO,
    entries: Iterable[Entry],
    *,
    dotted: bool = False,
    mtime: int = 0,
    listener: Listener = silent,
) -> None:
    before = "./" if dotted else ""
    known: set[str] = set()

    def add_folder(name: str) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        stream.write(_head(info, mtime))

    if dotted:
        add_folder("./")
    for entry in entries:
        for parent in reversed(PurePosixPath(entry.name).parents[:-1]):
            if (name := f"{before}{parent}/") not in known:
                known.add(name)
                add_folder(name)
        info = tarfile.TarInfo(before + entry.name)
        info.size, info.mode = entry.nbytes, entry.mode
        stream.write(_head(info, mtime))
        pour(entry, stream.write, listener)
        stream.write(bytes(-info.size % tarfile.BLOCKSIZE))
    stream.write(bytes(2 * tarfile.BLOCKSIZE))


def _head(info: tarfile.TarInfo, mtime: int) -> bytes:
    info.uname = info.gname = "root"
    info.mtime = mtime
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")


class StoredGzip:
    """A gzip file of stored blocks (RFC 1951, 3.2.4; RFC 1952): its bytes depend on no version of zlib."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pending = bytearray()
        self._crc, self._nbytes = 0, 0
        file.write(GZIP_HEAD)

    def write(self, data: bytes) -> int:
        self._crc = zlib.crc32(data, self._crc)
        self._nbytes += len(data)
        self._pending += data
        whole = len(self._pending) - len(self._pending) % BLOCK_BYTES
        view = memoryview(self._pending)
        for start in range(0, whole, BLOCK_BYTES):
            self._block(view[start : start + BLOCK_BYTES], last=False)
        view.release()
        del self._pending[:whole]
        return len(data)

    def finish(self) -> None:
        self._block(memoryview(self._pending), last=True)
        self._file.write(struct.pack("<II", self._crc, self._nbytes & 0xFFFFFFFF))

    def _block(self, data: memoryview, *, last: bool) -> None:
        self._file.write(struct.pack("<BHH", last, len(data), len(data) ^ 0xFFFF))
        self._file.write(data)
