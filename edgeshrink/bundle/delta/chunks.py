"""Where data of no known structure is cut: by what it holds, so that bytes put in before move no later cut.

Source: the gear hash of Xia et al., "FastCDC" (USENIX ATC 2016), computed for a whole block at once: the sum over the
last 32 bytes comes together in five doublings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from edgeshrink.bundle.delta.windows import Window

LEAST_BYTES: Final = 4 << 10
MOST_BYTES: Final = 64 << 10
_USUAL_BITS: Final = 14
_REACH: Final = 32
_BLOCK_BYTES: Final = 1 << 20


def by_size(start: int, nbytes: int, most: int) -> Iterator[tuple[int, int]]:
    """(start, length) of pieces of at most `most` bytes, from `start`."""
    end = start + nbytes
    for cut in range(start, end, most):
        yield cut, min(most, end - cut)


def by_content(window: Window, start: int, nbytes: int) -> Iterator[tuple[int, int]]:
    """(start, length) of pieces of `window` from `start`: 4 to 64 KiB, 16 KiB beyond the least as a rule."""
    end, cut = start + nbytes, start
    for candidate in _candidates(window, start, nbytes):
        while candidate - cut > MOST_BYTES:
            yield cut, MOST_BYTES
            cut += MOST_BYTES
        if candidate - cut >= LEAST_BYTES:
            yield cut, candidate - cut
            cut = candidate
    while cut < end:
        yield cut, min(MOST_BYTES, end - cut)
        cut += MOST_BYTES


def _candidates(window: Window, start: int, nbytes: int) -> Iterator[int]:
    """Places after which the hash of the last 32 bytes has its upper bits zero."""
    for block in range(start, start + nbytes, _BLOCK_BYTES):
        before = min(_REACH - 1, block - start)
        data = window.read_at(block - before, before + min(_BLOCK_BYTES, start + nbytes - block))
        hashes = _hashes(np.frombuffer(data, np.uint8))[before:]
        for place in np.flatnonzero(hashes >> np.uint32(32 - _USUAL_BITS) == 0):
            yield block + int(place) + 1


def _hashes(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    hashes = _GEAR[data]
    reach = 1
    while reach < _REACH:
        earlier = hashes[:-reach] << np.uint32(reach)
        hashes[reach:] += earlier
        reach *= 2
    return hashes


_GEAR: Final = np.frombuffer(
    b"".join(hashlib.sha256(bytes([value])).digest()[:4] for value in range(256)), dtype="<u4"
).astype(np.uint32)
