"""Intervals held against published examples, against scipy, and against brute force over the score test itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from edgeshrink.evaluate.paired import (
    around,
    calibration_error,
    calibration_errors,
    mcnemar,
    mean_interval,
    tango,
    wilson,
)
from edgeshrink.evaluate.quantiles import beta_cdf, beta_quantile, t_of, z_of

CONFIDENCES = (0.8, 0.95, 0.999, 0.99999)


@pytest.mark.parametrize(
    ("lost", "won", "n", "confidence", "published"),
    [
        (9, 3, 32, 0.95, (-0.027, 0.390)),  # Tango (1998)
        (0, 1, 44, 0.90, (-0.096, 0.037)),  # Tango (1998)
        (28, 25, 618, 0.90, (-0.0148, 0.0247)),  # R, PropCIs::scoreci.mp
        (1, 7, 21, 0.95, (-0.517, -0.026)),  # Fagerland, Lydersen & Laake (2014), after Bentur et al.
    ],
)
def test_tango_gives_the_published_intervals(
    lost: int, won: int, n: int, confidence: float, published: tuple[float, float]
) -> None:
    digits = max(len(str(bound).partition(".")[2]) for bound in published)
    assert tuple(round(bound, digits) for bound in tango(lost, won, n, confidence)) == published


@pytest.mark.parametrize(("lost", "won", "n"), [(0, 0, 12), (0, 3, 9), (5, 0, 5), (7, 2, 40), (30, 31, 200)])
@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_the_ends_of_tango_are_where_the_score_test_begins_to_reject(
    lost: int, won: int, n: int, confidence: float
) -> None:
    """The likelihood under each hypothesis is maximised numerically here, not by a formula."""
    for end, sign in zip(tango(lost, won, n, confidence), (1.0, -1.0), strict=True):
        assert -1.0 <= end <= 1.0
        if abs(end) < 1 - 1e-9:
            assert sign * _score(lost, won, n, end) == pytest.approx(z_of(confidence), rel=2e-3)


def _score(lost: int, won: int, n: int, difference: float) -> float:
    def unlikely(second: float) -> float:
        shares = (second + difference, second, 1 - 2 * second - difference)
        counts = (lost, won, n - lost - won)
        if min(shares) < 0:
            return math.inf
        return -sum(count * math.log(max(share, 1e-300)) for count, share in zip(counts, shares, strict=True) if count)

    bounds = (max(0.0, -difference), (1 - difference) / 2)
    inner = optimize.minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12})
    second = min((*bounds, float(inner.x)), key=unlikely)
    variance = n * (2 * second + difference - difference**2)
    return (lost - won - n * difference) / math.sqrt(variance)


def test_tango_holds_its_confidence_where_few_items_differ() -> None:
    """Coverage of 40 items that turn with 3 % and 1 %, by the exact multinomial distribution."""
    n, first, second, covered = 40, 0.03, 0.01, 0.0
    for lost in range(9):
        for won in range(9):
            low, high = tango(lost, won, n, 0.95)
            if low <= first - second <= high:
                covered += float(
                    stats.multinomial.pmf([lost, won, n - lost - won], n, [first, second, 1 - first - second])
                )
    assert covered > 0.94


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (7, 7), (3, 11), (480, 500)])
@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_wilson_is_scipys(hits: int, n: int, confidence: float) -> None:
    expected = stats.binomtest(hits, n).proportion_ci(confidence, method="wilson")
    assert wilson(hits, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (1, 0), (5, 12), (12, 5), (40, 41), (900, 1100)])
def test_mcnemar_is_the_exact_binomial_test(lost: int, won: int) -> None:
    expected = stats.binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert mcnemar(lost, won) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_quantiles_are_scipys(confidence: float) -> None:
    tail = (1 + confidence) / 2
    assert z_of(confidence) == pytest.approx(stats.norm.ppf(tail), rel=1e-9)
    for freedom in (1, 2, 9, 250, 40_000):
        assert t_of(confidence, freedom) == pytest.approx(stats.t.ppf(tail, freedom), rel=1e-8)
    for a, b in ((0.5, 0.5), (1, 30), (200, 3), (40, 40)):
        x = stats.beta.ppf(tail, a, b)
        assert beta_quantile(tail, a, b) == pytest.approx(x, rel=1e-8)
        assert beta_cdf(x, a, b) == pytest.approx(tail, rel=1e-9)


def test_a_mean_has_students_interval_and_one_item_has_none() -> None:
    values = np.random.default_rng(3).normal(0.2, 1.0, 17)
    expected = stats.t.interval(0.99, 16, values.mean(), stats.sem(values))
    assert mean_interval(values, 0.99) == pytest.approx(expected)
    assert mean_interval(values[:1], 0.99) is None


def test_a_calibration_error_is_the_mean_gap_of_equal_bins() -> None:
    random = np.random.default_rng(5)
    sure = random.uniform(0.2, 1.0, 300)
    right = (random.uniform(size=300) < sure**2).astype(float)
    order = np.argsort(sure)
    bins = np.array_split(order, 15)
    expected = sum(len(one) / 300 * abs(sure[one].mean() - right[one].mean()) for one in bins)
    assert calibration_error(sure, right) == pytest.approx(expected)
    assert calibration_error(np.ones(40), np.ones(40)) == 0.0
    assert calibration_error(np.ones(40), np.zeros(40)) == 1.0


def test_the_bootstrap_says_how_much_a_calibration_error_varies_between_samples() -> None:
    """The spread over fresh samples of the same two models is what one sample's bootstrap estimates."""
    random = np.random.default_rng(7)

    def sample() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        sure = random.uniform(0.3, 1.0, 400)
        right = (random.uniform(size=400) < sure).astype(float)
        return (sure, right), (np.sqrt(sure), right)

    drawn = [sample() for _ in range(60)]
    differences = [calibration_error(*candidate) - calibration_error(*reference) for reference, candidate in drawn]
    errors, spreads = calibration_errors(*drawn[0])
    assert errors[1] - errors[0] == differences[0]
    assert spreads[2] == pytest.approx(np.std(differences), rel=0.4)
    assert calibration_errors(*drawn[0]) == (errors, spreads)


def test_an_interval_around_a_figure_is_cut_to_what_it_can_be() -> None:
    assert around(0.01, 0.1, 0.95, (0.0, 1.0)) == (0.0, pytest.approx(0.206, abs=1e-3))
