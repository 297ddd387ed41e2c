"""In the child: a session led over windows, batch by batch, and a full disk told as one."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edgeshrink.core.importance import Floats
from edgeshrink.errors import NoSpace
from edgeshrink.evaluate.distances import Distances, distances
from edgeshrink.evaluate.reference import Reference
from edgeshrink.evaluate.windows import Windows
from edgeshrink.runtimes.interface import Session


@dataclass(frozen=True, slots=True)
class Batch:
    """Logits of some positions of one window, from position `start` on."""

    window: int
    start: int
    rows: Floats = field(repr=False)
    windows: Windows = field(repr=False)

    @property
    def scored(self) -> tuple[Floats, Sequence[int]]:
        """Those rows that are scored, and the ids that follow them."""
        first = min(max(self.windows.first - self.start, 0), len(self.rows))
        last = max(min(self.windows.size - 1 - self.start, len(self.rows)), first)
        return self.rows[first:last], self.windows.ids[self.window][self.start + first + 1 : self.start + last + 1]


def walk(session: Session, windows: Windows, tell: Callable[[int], None]) -> Iterator[Batch]:
    """All windows in order; `tell` hears how many tokens were run since it was told last."""
    for index, ids in enumerate(windows.ids):
        start = 0
        for rows in session.iter_logits(tuple(ids)):
            yield Batch(index, start, rows, windows)
            start += len(rows)
            tell(len(rows))


class Comparison:
    """Holds batches, in order, against the reference's rows, where there is one. Not frozen: it counts them."""

    def __init__(self, reference: Reference | None, threads: int) -> None:
        self._reference = reference
        self._threads = threads
        self._done = 0

    def of(self, batch: Batch) -> Distances | None:
        """Of the positions that are scored, if any are."""
        rows, following = batch.scored
        if not following:
            return None
        expected = None if self._reference is None else self._reference.rows(self._done, len(rows))
        self._done += len(rows)
        return distances(rows, expected, following, threads=self._threads)


@contextmanager
def told_disk(folder: Path) -> Iterator[None]:
    """NoSpace where the disk of `folder` is full."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
            raise NoSpace(f"the disk of {folder} is full", hint="free some space, and run the build again") from error
        raise
