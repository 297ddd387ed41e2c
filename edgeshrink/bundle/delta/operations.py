"""Copies and fresh pieces, put in a row: copies that follow each other are one, fresh bytes are packed together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO, Final

from edgeshrink.bundle.delta.bases import Bases
from edgeshrink.bundle.delta.packing import pack
from edgeshrink.bundle.delta.ranges import Range
from edgeshrink.core.delta import MOST_FRESH_BYTES, Copy, Fresh, Operation, Place

_SMALL_BYTES: Final = 64 << 10


class Operations:
    """Of one part of a file. Fresh bytes go to `pieces`, packed; `size_of` gives the size of what a place is in."""

    def __init__(
        self, pieces: BinaryIO, bases: Bases, read: Callable[[Place], bytes], size_of: Callable[[Place], int]
    ) -> None:
        self._pieces, self._bases, self._read, self._size_of = pieces, bases, read, size_of
        self._done: list[Operation] = []
        self._pending = bytearray()
        self._found: tuple[Range, int] | None = None  # what the pending bytes are of, and from which offset

    @property
    def previous(self) -> Place | None:
        """The copy that whatever comes now would follow."""
        last = self._done[-1] if self._done and not self._pending else None
        return last.place if isinstance(last, Copy) else None

    def copy(self, place: Place) -> None:
        self._flush()
        last = self.previous
        if last is not None and replace(last, at=last.at + last.nbytes, nbytes=place.nbytes) == place:
            self._done[-1] = Copy(replace(last, nbytes=last.nbytes + place.nbytes))
        else:
            self._done.append(Copy(place))

    def fresh(self, data: bytes, found: Range, offset: int) -> None:
        """`data` is at `offset` of the part `found`."""
        full = len(self._pending) + len(data) > MOST_FRESH_BYTES
        other = self._found is not None and self._found[0] != found
        # Small parts share a frame, and a tensor has its own, on the old tensor.
        if full or (other and (len(self._pending) > _SMALL_BYTES or found.nbytes > _SMALL_BYTES)):
            self._flush()
        if self._found is None:
            self._found = found, offset
        self._pending += data

    def finish(self) -> tuple[Operation, ...]:
        self._flush()
        return tuple(self._done)

    def _flush(self) -> None:
        if self._found is None:
            return
        data = bytes(self._pending)
        base = self._base(*self._found, len(data))
        packed = pack(data, self._read(base) if base else b"")
        self._pieces.write(packed.data)
        self._done.append(Fresh(len(data), len(packed.data), packed.zstd, base if packed.based else None))
        self._pending.clear()
        self._found = None

    def _base(self, found: Range, offset: int, nbytes: int) -> Place | None:
        last = self._done[-1] if self._done else None
        if not found.tensor and isinstance(last, Copy) and last.place.of == "old":
            return self._bases.behind(last.place, self._size_of(last.place), nbytes)
        return self._bases.of_name(found, offset, nbytes)
