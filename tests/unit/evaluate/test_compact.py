"""A stored row against the whole distribution: exact at the top, its error within the stated bound."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgeshrink.evaluate.compact import compact, expected_log, probabilities, row_type
from edgeshrink.planning.estimate import EXACT_TOKENS, TAIL_LEVELS, reference_row_bytes

Rows = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def skewed(seed: int, count: int, vocab_size: int) -> Rows:
    """Logits as of a language model: few tokens hold most of the probability, a long tail the rest."""
    random = np.random.default_rng(seed)
    falling = -1.1 * np.log(1 + random.permuted(np.tile(np.arange(vocab_size), (count, 1)), axis=1))
    return (falling + random.normal(0, 1.5, (count, vocab_size))).astype(np.float32)


def logs(rows: Rows) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    wide = rows.astype(np.float64)
    found: np.ndarray[tuple[int, int], np.dtype[np.float64]] = wide - np.logaddexp.reduce(wide, axis=1)[:, None]
    return found


@pytest.mark.parametrize("vocab_size", [100, EXACT_TOKENS, 999, 4096])
def test_the_most_probable_tokens_are_exact_and_the_rest_keeps_its_mass(vocab_size: int) -> None:
    rows = skewed(1, 7, vocab_size)
    stored, p = compact(rows, [3] * 7), np.exp(logs(rows))
    found, exact = probabilities(stored, vocab_size), min(EXACT_TOKENS, vocab_size)
    for index in range(7):
        top = stored["top"][index].tolist()
        expected = sorted(range(vocab_size), key=lambda token: (-rows[index, token], token))[:exact]
        assert top[0] == expected[0] and set(top) == set(expected)
        assert stored["logits"][index].tolist() == rows[index, top].tolist()
        assert found[index, top] == pytest.approx(p[index, top], rel=1e-12)
        assert found[index].sum() == pytest.approx(1.0, abs=1e-8)
    assert stored["following"] == pytest.approx(logs(rows)[:, 3], rel=1e-12)
    assert (found > 0).all()


@pytest.mark.parametrize("noise", [0.01, 0.1, 1.0])
def test_the_divergence_is_off_by_less_than_the_bound_and_hardly_in_the_mean(noise: float) -> None:
    rows = skewed(2, 200, 2048)
    other = (rows + np.random.default_rng(3).normal(0, noise, rows.shape)).astype(np.float32)
    stored, p, q = compact(rows, [0] * 200), logs(rows), logs(other)
    exact = (np.exp(p) * (p - q)).sum(axis=1)
    found = stored["entropy"] - expected_log(stored, q)
    bound = np.abs(probabilities(stored, 2048) - np.exp(p)).sum(axis=1) * np.abs(p - q).max(axis=1)
    assert (np.abs(found - exact) <= bound + 1e-12).all()
    assert found.mean() == pytest.approx(exact.mean(), rel=5e-3)


def test_equal_logits_are_stored_lowest_id_first() -> None:
    stored = compact(np.zeros((2, 600), np.float32), [0, 1])
    assert np.array_equal(stored["top"], [range(EXACT_TOKENS)] * 2)
    assert probabilities(stored, 600) == pytest.approx(1 / 600, rel=1e-6)


def test_a_row_takes_the_bytes_that_planning_counts_with() -> None:
    for vocab_size in (100, 511, 4096, 151_936):
        assert row_type(vocab_size).itemsize == reference_row_bytes(vocab_size)
    assert reference_row_bytes(151_936) * 7.5 < 4 * 151_936
    assert len(compact(skewed(1, 1, 999), [0])["levels"][0]) == TAIL_LEVELS


def test_what_is_not_finite_stays_visible() -> None:
    rows = skewed(4, 3, 700)
    rows[1, 5] = math.nan
    stored = compact(rows, [0, 1, 2])
    assert np.isnan(stored["entropy"]).tolist() == [False, True, False]


def test_no_rows_are_no_records() -> None:
    assert compact(np.empty((0, 50), np.float32), []).shape == (0,)
