"""sha256 of many files: in two threads, each file once however many names it has, and no name followed elsewhere."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import Final

from edgeshrink.bundle.signing.walking import FoundFile
from edgeshrink.core.events import Listener, Progress

_PIECE_BYTES: Final = 4 << 20
_TELL_FROM_BYTES: Final = 64 << 20
_THREADS: Final = 2
_THREADS_FROM_BYTES: Final = 1 << 20
"""Below that, starting a thread costs more than it saves."""


class Unreadable(Exception):
    """A file that cannot be read, or is no file any more: says why."""


def open_regular(path: Path) -> FileIO:
    """`path` to read, if it is a regular file: no link is followed, no pipe waited for. Raises Unreadable."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        number = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise Unreadable("is no file")
    return FileIO(number, "rb")


def read_bounded(path: Path, most: int) -> bytes:
    """All of a regular file of at most `most` bytes. Raises Unreadable."""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise Unreadable(f"is larger than {most:,} bytes")
        pieces, left = [], most + 1  # it may grow while it is read
        try:
            while left > 0 and (piece := file.read(min(left, _PIECE_BYTES))):
                pieces.append(piece)
                left -= len(piece)
        except OSError as error:
            raise Unreadable(f"cannot be read: {error.strerror}") from error
    if left <= 0:
        raise Unreadable(f"is larger than {most:,} bytes")
    return b"".join(pieces)


def sha256_of(
    files: Iterable[FoundFile], *, known: Mapping[str, str], task: str, listener: Listener
) -> tuple[dict[str, str], dict[str, str]]:
    """Digests by name, and by name why there is none. What is in `known` is not read, by no other name either."""
    files = tuple(files)
    by_content: dict[tuple[int, int], list[FoundFile]] = {}
    linked = {file.same: known[file.name] for file in files if file.name in known and file.same[1]}
    digests = {file.name: linked[file.same] for file in files if file.same in linked}
    digests |= {file.name: known[file.name] for file in files if file.name in known}
    for file in files:
        if file.name not in digests:
            by_content.setdefault(file.same if file.same[1] else (-1, len(by_content)), []).append(file)
    firsts = sorted((names[0] for names in by_content.values()), key=lambda file: -file.nbytes)
    counter = _Counter(task, sum(file.nbytes for file in firsts), listener)
    if counter.total < _THREADS_FROM_BYTES:
        results = [_sha256(file, counter) for file in firsts]
    else:
        with ThreadPoolExecutor(_THREADS) as threads:
            try:
                results = list(threads.map(lambda file: _sha256(file, counter), firsts))
            except BaseException:
                counter.stopped = True
                raise
    failures: dict[str, str] = {}
    by_first = dict(zip((file.name for file in firsts), results, strict=True))
    for names in by_content.values():
        digest, failure = by_first[names[0].name]
        for file in names:
            if failure:
                failures[file.name] = failure
            else:
                digests[file.name] = digest
    return digests, failures


class _Counter:
    """Bytes read so far, by all threads."""

    def __init__(self, task: str, total: int, listener: Listener) -> None:
        self.total = total
        self.stopped = False
        self._task, self._listener = task, listener
        self._done = 0
        self._lock = threading.Lock()

    def add(self, nbytes: int) -> None:
        with self._lock:
            self._done += nbytes
            if self.total > _TELL_FROM_BYTES:
                self._listener(Progress(self._task, self._done, self.total, "bytes"))


def _sha256(file: FoundFile, counter: _Counter) -> tuple[str, str]:
    """The digest and "", or "" and why there is none."""
    digest = hashlib.sha256()
    piece = memoryview(bytearray(min(_PIECE_BYTES, max(file.nbytes, 1))))
    try:
        with open_regular(file.path) as stream:
            while not counter.stopped and (count := stream.readinto(piece)):
                digest.update(piece[:count])
                counter.add(count)
    except Unreadable as error:
        return "", str(error)
    except OSError as error:
        return "", f"cannot be read: {error.strerror}"
    return digest.hexdigest(), ""
