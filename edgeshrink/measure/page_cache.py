"""Take files out of the system's page cache, and see how much of them is there."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def drop(files: Sequence[Path]) -> str | None:
    """Ask the system to forget the files' pages. None when it was asked, else the reason why it cannot be."""
    if not hasattr(os, "posix_fadvise"):
        return f"{sys.platform} has no posix_fadvise: the file cannot be taken out of the page cache"
    try:
        for path in files:
            with path.open("rb") as stream:
                os.fsync(stream.fileno())  # pages that are not on disk yet cannot be dropped
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError as error:
        return f"posix_fadvise failed: {error}"
    return None


def resident_share(files: Sequence[Path]) -> float | None:
    """Share (0 to 1) of the files' pages in the page cache, by mincore(2). None where it cannot be asked."""
    pages = resident = 0
    for path in files:
        states = _page_states(path)
        if states is None:
            return None
        pages += states.size
        resident += int((states & 1).sum())
    return resident / pages if pages else None


def _page_states(path: Path) -> np.ndarray | None:
    """mincore's byte of every page, empty for an empty file."""
    size = path.stat().st_size
    if sys.platform == "win32":
        return None
    if size == 0:
        return np.empty(0, np.uint8)
    try:
        mincore = ctypes.CDLL(None, use_errno=True).mincore
    except (AttributeError, OSError):
        return None
    pages = -(-size // mmap.PAGESIZE)
    states = (ctypes.c_ubyte * pages)()
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), size, flags=mmap.MAP_PRIVATE, prot=_COPY) as mapped:
        view = (ctypes.c_ubyte * size).from_buffer(mapped)  # a private mapping: nothing is read or written through it
        try:
            failed = mincore(ctypes.c_void_p(ctypes.addressof(view)), ctypes.c_size_t(size), states)
        finally:
            del view
    return None if failed else np.frombuffer(bytes(states), np.uint8)


# from_buffer wants a writable mapping; MAP_PRIVATE keeps the file out of reach.
_COPY = 0 if sys.platform == "win32" else mmap.PROT_READ | mmap.PROT_WRITE
