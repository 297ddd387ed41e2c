"""A hidden folder beside what is being written, gone when the work ends, however it ends.

Its owner holds a lock on it, which the system lets go when the owner dies: what a killed run left is told apart from
what a living one is writing, without a clock, and the next run for the same name removes it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there, and what a killed run left stays
    fcntl = None  # type: ignore[assignment]

_PREFIX = ".edgeshrink-whole-"
_NAME_CHARACTERS = 60  # of the name that it stands beside: the whole must be a name, too


@contextmanager
def workplace(beside: Path) -> Iterator[Path]:
    """An empty folder on the file system of `beside`'s parent, which exists; leftovers of dead owners are removed."""
    remove_leftovers(beside)
    place, lock = _owned(beside)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _owned(beside: Path) -> tuple[Path, int | None]:
    while True:
        place = Path(tempfile.mkdtemp(dir=beside.parent, prefix=_prefix(beside)))
        if fcntl is None:
            return place, None
        lock = _locked(place)
        # Between the two calls another run may have taken it for a dead one's.
        if lock is not None and _still_there(place, lock):
            return place, lock
        if lock is not None:
            os.close(lock)
        elif place.exists():
            return place, None  # a file system that locks no folders


def _prefix(beside: Path) -> str:
    return f"{_PREFIX}{beside.name[:_NAME_CHARACTERS]}."


def remove_leftovers(beside: Path) -> None:
    """Remove what killed runs left beside that name."""
    if fcntl is None:
        return
    try:
        found = [place for place in beside.parent.iterdir() if place.name.startswith(_prefix(beside))]
    except OSError:  # a folder that may be written and not listed
        return
    for place in found:
        if (lock := _locked(place)) is None:
            continue
        shutil.rmtree(place, ignore_errors=True)
        os.close(lock)


def _locked(place: Path) -> int | None:
    """A descriptor that holds the lock on the folder; None where another holds it, or it is gone or no folder."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _still_there(place: Path, descriptor: int) -> bool:
    with suppress(OSError):
        return os.path.samestat(place.stat(), os.fstat(descriptor))
    return False
