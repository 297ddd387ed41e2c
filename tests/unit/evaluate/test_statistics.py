"""Divergences and intervals against arithmetic spelled out, and against what intervals promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.evaluate.statistics import Blocks, kl_divergence, log_softmax, share


def slow_log_softmax(row: list[float]) -> list[float]:
    top = max(row)
    total = math.fsum(math.exp(value - top) for value in row)
    return [value - top - math.log(total) for value in row]


def test_log_softmax_is_the_definition_in_double_precision() -> None:
    logits = np.random.default_rng(1).normal(0, 20, (5, 40)).astype(np.float32)
    found = log_softmax(logits)
    for row, expected in zip(found, logits.tolist(), strict=True):
        assert row == pytest.approx(slow_log_softmax(expected), rel=1e-12)


def test_kl_is_the_definition() -> None:
    random = np.random.default_rng(2)
    p, q = (random.normal(0, 3, (6, 25)).astype(np.float32) for _ in range(2))
    found = kl_divergence(log_softmax(p), log_softmax(q))
    for value, left, right in zip(found, p.tolist(), q.tolist(), strict=True):
        pairs = zip(slow_log_softmax(left), slow_log_softmax(right), strict=True)
        assert value == pytest.approx(math.fsum(math.exp(a) * (a - b) for a, b in pairs), rel=1e-10)


def test_blocks_cover_every_position_once_and_stay_in_their_window() -> None:
    blocks = Blocks.of(3, 150)
    positions = [index for first, last in blocks.bounds for index in range(first, last)]
    assert positions == list(range(450))
    assert all(first // 150 == (last - 1) // 150 for first, last in blocks.bounds)


def test_an_interval_holds_the_mean_and_is_the_same_every_time() -> None:
    values = np.random.default_rng(3).gamma(0.3, 1.0, 4 * 255)
    first, second = (Blocks.of(4, 255).mean(values) for _ in range(2))
    assert isinstance(first, Measured)
    assert first == second
    assert first.value == pytest.approx(values.mean())
    assert first.low is not None and first.high is not None
    assert first.low < first.value < first.high


def test_intervals_hold_the_truth_as_often_as_they_say_though_neighbours_are_alike() -> None:
    random = np.random.default_rng(4)
    hits = naive_hits = 0
    trials = 200
    for _ in range(trials):
        noise = random.normal(0, 1, 16 * 255)
        for index in range(1, noise.size):  # neighbours correlate by 0.7, the true mean is 0
            noise[index] += 0.7 * noise[index - 1]
        reading = Blocks.of(16, 255).mean(noise)
        assert isinstance(reading, Measured) and reading.low is not None and reading.high is not None
        hits += reading.low <= 0 <= reading.high
        naive_hits += abs(noise.mean()) <= 1.96 * noise.std() / math.sqrt(noise.size)
    assert hits / trials > 0.88
    assert naive_hits / trials < 0.75  # what ignoring the neighbours would have given


def test_a_quantile_has_an_interval_around_it() -> None:
    values = np.random.default_rng(5).exponential(1.0, 8 * 255)
    reading = Blocks.of(8, 255).quantile(values, 0.99)
    assert isinstance(reading, Measured)
    assert reading.value == pytest.approx(np.quantile(values, 0.99))
    assert reading.low is not None and reading.high is not None
    assert reading.low < -math.log(0.01) < reading.high


def test_what_is_not_finite_is_unmeasured_and_counted() -> None:
    values = np.ones(255)
    values[7] = np.nan
    assert Blocks.of(1, 255).mean(values) == Unmeasured("1 of 255 positions are not finite")


def test_one_block_has_no_interval_and_says_so() -> None:
    reading = Blocks.of(1, 31).mean(np.arange(31.0))
    assert isinstance(reading, Measured)
    assert (reading.value, reading.low, reading.high) == (15.0, None, None)
    assert "no interval" in reading.how


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(50, 100, 0.40383, 0.59617), (0, 10, 0.0, 0.27753), (10, 10, 0.72247, 1.0)]
)
def test_wilson_intervals_are_the_published_ones(hits: int, n: int, low: float, high: float) -> None:
    reading = share(hits, n)
    assert reading.low == pytest.approx(low, abs=1e-5)
    assert reading.high == pytest.approx(high, abs=1e-5)
