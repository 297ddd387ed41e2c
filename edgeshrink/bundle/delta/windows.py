"""Part of a file, read at any place; and what a gzip file of stored blocks holds, read the same way."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol

from edgeshrink.bundle.archives.tar import BLOCK_BYTES, GZIP_HEAD
from edgeshrink.errors import DataError

_BLOCK_HEAD, _GZIP_TAIL_BYTES = struct.Struct("<BHH"), 8
_CHUNK_BYTES: Final = 4 << 20


class Window(Protocol):
    """`size` bytes; `read_at` gives exactly as many as were asked for, or raises DataError."""

    @property
    def size(self) -> int: ...

    def read_at(self, at: int, nbytes: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class FileWindow:
    """`size` bytes of an open file, from `start`."""

    stream: BinaryIO
    start: int
    size: int

    def read_at(self, at: int, nbytes: int) -> bytes:
        if not 0 <= at <= at + nbytes <= self.size:
            raise DataError(f"{self.stream.name}: nothing is {nbytes} bytes long at {at}")
        self.stream.seek(self.start + at)
        data = self.stream.read(nbytes)
        if len(data) != nbytes:
            raise DataError(f"{self.stream.name} became shorter while it was read")
        return data


@dataclass(frozen=True, slots=True)
class SubWindow:
    """`size` bytes of another window, from `start`."""

    window: Window
    start: int
    size: int

    def read_at(self, at: int, nbytes: int) -> bytes:
        if not 0 <= at <= at + nbytes <= self.size:
            raise DataError(f"nothing is {nbytes} bytes long at {at}")
        return self.window.read_at(self.start + at, nbytes)


@dataclass(frozen=True, slots=True)
class StoredGzipWindow:
    """What a gzip file holds that `StoredGzip` wrote: block heads stand at places that are known beforehand."""

    window: Window
    size: int

    def read_at(self, at: int, nbytes: int) -> bytes:
        if not 0 <= at <= at + nbytes <= self.size:
            raise DataError(f"nothing is {nbytes} bytes long at {at}")
        return b"".join(self._pieces(at, nbytes))

    def _pieces(self, at: int, nbytes: int) -> Iterator[bytes]:
        first, skipped = divmod(at, BLOCK_BYTES)
        blocks = -(-(skipped + nbytes) // BLOCK_BYTES)
        stride = BLOCK_BYTES + _BLOCK_HEAD.size
        start = len(GZIP_HEAD) + first * stride
        raw = self.window.read_at(start, min(blocks * stride, self.window.size - _GZIP_TAIL_BYTES - start))
        for block in range(blocks):
            data = raw[block * stride + _BLOCK_HEAD.size : (block + 1) * stride]
            yield data[skipped : skipped + nbytes]
            nbytes -= len(data) - skipped
            skipped = 0


def gzip_layer(window: Window) -> StoredGzipWindow | None:
    """What `window` holds if it is a gzip file of stored blocks, by its size alone; None where it cannot be one."""
    held = held_bytes(window.size)
    return None if held is None else StoredGzipWindow(window, held)


def held_bytes(nbytes: int) -> int | None:
    """How much a gzip file of stored blocks of `nbytes` holds; None where none is that long."""
    # n blocks hold n-1 times the most, and less than that once.
    whole, rest = divmod(nbytes - len(GZIP_HEAD) - _GZIP_TAIL_BYTES, BLOCK_BYTES + _BLOCK_HEAD.size)
    return whole * BLOCK_BYTES + rest - _BLOCK_HEAD.size if whole >= 0 and rest >= _BLOCK_HEAD.size else None


def stored_gzip(window: Window) -> StoredGzipWindow | None:
    """What `window` holds, where `StoredGzip` would write the same bytes again; None where it would not."""
    inner = gzip_layer(window)
    if inner is None or window.read_at(0, len(GZIP_HEAD)) != GZIP_HEAD:
        return None
    stride, crc = BLOCK_BYTES + _BLOCK_HEAD.size, 0
    last = inner.size // BLOCK_BYTES
    for block in range(last + 1):
        held = min(BLOCK_BYTES, inner.size - block * BLOCK_BYTES)
        raw = window.read_at(len(GZIP_HEAD) + block * stride, _BLOCK_HEAD.size + held)
        if raw[: _BLOCK_HEAD.size] != _BLOCK_HEAD.pack(block == last, held, held ^ 0xFFFF):
            return None
        crc = zlib.crc32(raw[_BLOCK_HEAD.size :], crc)
    tail = window.read_at(window.size - _GZIP_TAIL_BYTES, _GZIP_TAIL_BYTES)
    return inner if tail == struct.pack("<II", crc, inner.size & 0xFFFFFFFF) else None


def stored_gzip_bytes(nbytes: int) -> int:
    """How long a gzip file of stored blocks is that holds `nbytes`."""
    blocks = nbytes // BLOCK_BYTES + 1
    return len(GZIP_HEAD) + blocks * _BLOCK_HEAD.size + nbytes + _GZIP_TAIL_BYTES


class WindowStream(io.RawIOBase):
    """A window as an unbuffered file, for libraries that read one."""

    def __init__(self, window: Window) -> None:
        self._window, self._at = window, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._window.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        nbytes = min(len(buffer), max(0, self._window.size - self._at), _CHUNK_BYTES)
        buffer[:nbytes] = self._window.read_at(self._at, nbytes)
        self._at += nbytes
        return nbytes
