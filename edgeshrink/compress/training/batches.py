"""Which rows a step learns from, and which of them fall to one worker: by the step's number alone, so that a run goes
on from anywhere. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.training import TrainingSettings
from edgeshrink.errors import DataError

_HELD_OUT_BATCHES = 4
_HELD_OUT_LEAST = 16


class Ordered(Protocol):
    """What is asked of a corpus here."""

    @property
    def rows(self) -> int: ...
    @property
    def held_out_rows(self) -> int: ...
    def order(self, seed: int, epoch: int) -> NDArray[np.int64]: ...


@dataclass(frozen=True, slots=True)
class Micro:
    """Rows that go through the model at once; `live` 0 where a row only fills up, so that every worker has as many."""

    rows: NDArray[np.int64]
    live: NDArray[np.float32]


class Batches:
    """Rows of a step: the corpus's own order of each epoch, one epoch behind the other, cut into equal pieces."""

    def __init__(self, corpus: Ordered, rows_per_step: int, seed: int) -> None:
        if not corpus.rows:
            raise DataError("the corpus has no rows to train on", hint="give more text")
        self.rows_per_step = rows_per_step
        self._corpus = corpus
        self._seed = seed
        self._epoch = -1
        self._order: NDArray[np.int64] = np.zeros(0, np.int64)

    def rows(self, step: int) -> NDArray[np.int64]:
        """(rows_per_step,) numbers of rows of the corpus for step `step`, from 0."""
        first = step * self.rows_per_step
        places = np.arange(first, first + self.rows_per_step)
        epochs, within = np.divmod(places, self._corpus.rows)
        rows = np.empty(self.rows_per_step, np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            rows[here] = self._in_order(int(epoch))[within[here]]
        return rows

    def _in_order(self, epoch: int) -> NDArray[np.int64]:
        if epoch != self._epoch:
            self._order, self._epoch = np.asarray(self._corpus.order(self._seed, epoch)), epoch
        return self._order


def rows_per_step(settings: TrainingSettings) -> int:
    """Rows of all workers together."""
    return max(1, settings.batch_tokens // settings.length)


def held_out_rows(corpus: Ordered, settings: TrainingSettings) -> NDArray[np.int64]:
    """The held-out rows that are looked at, always the same, spread evenly: as many as four steps have, 16 at least."""
    wanted = max(_HELD_OUT_LEAST, _HELD_OUT_BATCHES * rows_per_step(settings))
    there = corpus.held_out_rows
    return np.arange(min(wanted, there), dtype=np.int64) * there // max(1, min(wanted, there))


def micro_batches(rows: NDArray[np.int64], rank: int, workers: int, micro_rows: int) -> tuple[Micro, ...]:
    """The share of `rows` that falls to worker `rank`, in pieces of at most `micro_rows`.

    Every worker gets as many pieces of the same sizes, since all take part in every exchange.
    """
    if not rows.size:
        return ()
    mine, longest = rows[rank::workers], -(-len(rows) // workers)
    live = np.zeros(longest, np.float32)
    live[: len(mine)] = 1
    filled = np.concatenate((mine, np.repeat(rows[:1], longest - len(mine))))
    return tuple(
        Micro(filled[first : first + micro_rows], live[first : first + micro_rows])
        for first in range(0, longest, micro_rows)
    )
