"""Which documents are held out and which are left out, by their text alone.

A document's sha256 puts it at one place of a line; those below a threshold are held out. So the same text is held out
whatever its file is called and wherever it stands in it, whatever the seed. Which documents a limit leaves out is drawn
the same way, on a line of its own that the seed changes. Memory: the bytes that fall on each of 65,536 parts of a line.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

PLACES = 1 << 16
LARGEST_HELD_OUT = 0.2
"""Of all text, where there is little of it."""
_LARGEST_ALONE = 0.5  # of all text, where one document is to be held out at all


@dataclass(frozen=True, slots=True)
class Place:
    """Of a document: `digest` of its text, and where it stands on both lines."""

    digest: bytes
    held_out: int
    drawn: int

    @classmethod
    def of(cls, identity: bytes, seed: int) -> Place:
        digest = hashlib.sha256(identity).digest()
        drawn = hashlib.blake2b(digest, digest_size=2, key=str(seed).encode()[:64]).digest()
        return cls(digest, int.from_bytes(digest[8:10], "little"), int.from_bytes(drawn, "little"))


class Division:
    """Adds up the bytes of documents on each line."""

    def __init__(self) -> None:
        self._held_out = np.zeros(PLACES, np.int64)
        self._drawn = np.zeros(PLACES, np.int64)

    def add(self, place: Place, nbytes: int) -> None:
        """A document that was not there before."""
        self._held_out[place.held_out] += nbytes
        self._drawn[place.drawn] += nbytes

    @property
    def nbytes(self) -> int:
        return int(self._drawn.sum())

    def held_out_below(self, wanted: float) -> int:
        """The threshold under which about `wanted` bytes lie: at most LARGEST_HELD_OUT of all, 0 where even the first
        document is too large a part."""
        if wanted <= 0:
            return 0
        below = np.cumsum(self._held_out)
        total = int(below[-1])
        threshold = int(np.searchsorted(below, min(wanted, LARGEST_HELD_OUT * total))) + 1
        if threshold <= PLACES and below[threshold - 1] <= LARGEST_HELD_OUT * total:
            return threshold
        fewer = int(np.searchsorted(below, LARGEST_HELD_OUT * total, side="right"))
        if fewer and below[fewer - 1]:
            return fewer
        first = int(np.flatnonzero(below)[0])
        return first + 1 if below[first] <= _LARGEST_ALONE * total else 0

    def drawn_below(self, wanted: float, start: int = 0) -> int:
        """The threshold so that at least `wanted` bytes lie from `start` to it; PLACES where there are not so many."""
        below = np.cumsum(self._drawn[start:])
        return min(PLACES, start + int(np.searchsorted(below, wanted)) + 1)
