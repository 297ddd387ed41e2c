from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeshrink.compress.training.batches import Batches, held_out_rows, micro_batches, rows_per_step
from edgeshrink.core.training import TrainingSettings
from edgeshrink.errors import DataError


@dataclass
class Shuffled:
    rows: int = 25
    held_out_rows: int = 0

    def order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng((seed, epoch)).permutation(self.rows)


def test_every_row_comes_once_an_epoch_and_epochs_differ() -> None:
    batches = Batches(Shuffled(), 7, seed=1)

    rows = np.concatenate([batches.rows(step) for step in range(25)])

    epochs = rows.reshape(7, 25)
    assert all(sorted(epoch) == list(range(25)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 7


def test_a_step_is_the_same_whatever_was_asked_before_and_other_seeds_differ() -> None:
    forwards = Batches(Shuffled(), 7, seed=1)
    seen = [forwards.rows(step) for step in range(6)]

    backwards = Batches(Shuffled(), 7, seed=1)
    assert all((backwards.rows(step) == seen[step]).all() for step in reversed(range(6)))
    assert (Batches(Shuffled(), 7, seed=2).rows(0) != seen[0]).any()


def test_a_step_longer_than_the_corpus_goes_round() -> None:
    assert sorted(np.bincount(Batches(Shuffled(3), 7, seed=0).rows(0))) == [2, 2, 3]


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("micro_rows", [1, 2, 7, 64])
def test_workers_share_a_step_out_in_pieces_of_the_same_sizes(workers: int, micro_rows: int) -> None:
    rows = np.arange(100, 107)

    shares = [micro_batches(rows, rank, workers, micro_rows) for rank in range(workers)]

    sizes = {tuple(len(micro.rows) for micro in share) for share in shares}
    assert len(sizes) == 1
    assert max(next(iter(sizes))) <= micro_rows
    live = [row for share in shares for micro in share for row in micro.rows[micro.live == 1]]
    assert sorted(live) == list(rows)


def test_held_out_rows_are_spread_over_all_there_are() -> None:
    settings = TrainingSettings(steps=1, batch_tokens=64, length=32)

    rows = held_out_rows(Shuffled(held_out_rows=160), settings)

    assert list(rows) == list(range(0, 160, 10))
    assert list(held_out_rows(Shuffled(held_out_rows=3), settings)) == [0, 1, 2]
    assert held_out_rows(Shuffled(), settings).size == 0
    assert rows_per_step(settings) == 2


def test_a_corpus_without_rows_is_refused() -> None:
    with pytest.raises(DataError, match="no rows"):
        Batches(Shuffled(0), 1, seed=0)
