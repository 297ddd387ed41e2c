"""Intervals of one model's figure, and of the difference of two models that answered the same items.

Everything at any confidence: 0.95 for people, `Confidence.each` for gates.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from edgeshrink.evaluate.quantiles import bisect, t_of, z_of
from edgeshrink.evaluate.statistics import Doubles

Interval = tuple[float, float]
BINS = 15
RESAMPLES = 500
SEED = 41017
_DRAWN_AT_ONCE = 1 << 20


def wilson(hits: float, n: float, confidence: float) -> Interval:
    """Score interval of a share: Wilson, J. Am. Stat. Assoc. 22 (1927)."""
    observed, z = hits / n, z_of(confidence)
    center = (observed + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(observed * (1 - observed) / n + z * z / (4 * n * n))
    return min(max(0.0, center - reach), observed), max(min(1.0, center + reach), observed)


def tango(lost: int, won: int, n: int, confidence: float) -> Interval:
    """Score interval of the difference of two paired shares, (lost - won) / n: Tango, Statistics in Medicine 17 (1998).

    `lost`: items that only the first model has right, `won`: that only the second has, of `n` in all. It holds its
    confidence where few or no items differ: of none, it is +-z^2 / (n + z^2).
    """
    z = z_of(confidence)
    observed = (lost - won) / n
    low = bisect(lambda difference: z - _tango_score(lost, won, n, difference), -1.0, observed)
    high = bisect(lambda difference: -z - _tango_score(lost, won, n, difference), observed, 1.0)
    return low, high


def _tango_score(lost: int, won: int, n: int, difference: float) -> float:
    """Of the hypothesis that the shares differ by `difference`: falls as it rises."""
    b = (2 * n - lost + won) * difference - lost - won
    c = -won * difference * (1 - difference)
    only_second = max(0.0, (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n))
    variance = n * (2 * only_second + difference * (1 - difference))
    distance = lost - won - n * difference
    if variance <= 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def mcnemar(lost: int, won: int) -> float:
    """Two-sided exact p of McNemar's test: that as many items turn one way as the other."""
    n, fewer = lost + won, min(lost, won)
    below: int = sum(math.comb(n, k) for k in range(fewer + 1))
    return min(1.0, float(Fraction(2 * below, 1 << n)))


def mean_interval(values: Doubles, confidence: float) -> Interval | None:
    """Student's t over items; None for less than two."""
    n = len(values)
    if n < 2:
        return None
    mean = float(values.mean())
    reach = t_of(confidence, n - 1) * float(values.std(ddof=1)) / math.sqrt(n)
    return mean - reach, mean + reach


def calibration_error(confidence: Doubles, right: Doubles, bins: int = BINS) -> float:
    """Expected calibration error: how far confidence and share of right answers stand apart, averaged over bins that
    hold the same number of answers each (Nguyen & O'Connor, EMNLP 2015)."""
    return float(_calibration_errors(confidence[None], right[None], bins)[0])


def calibration_errors(
    reference: tuple[Doubles, Doubles], candidate: tuple[Doubles, Doubles], bins: int = BINS
) -> tuple[tuple[float, float], tuple[float, float, float]]:
    """Of (confidence, right) of both models on the same items: both errors, and standard errors of the reference's, of
    the candidate's, and of the candidate's minus the reference's.

    By a seeded bootstrap over items, the same resampled ones for both models.
    """
    n = len(reference[0])
    random = np.random.default_rng(SEED)
    rows = max(1, _DRAWN_AT_ONCE // n)
    parts: list[NDArray[np.float64]] = []
    for start in range(0, RESAMPLES, rows):
        drawn = random.integers(n, size=(min(rows, RESAMPLES - start), n))
        parts.append(
            np.stack([_calibration_errors(sure[drawn], right[drawn], bins) for sure, right in (reference, candidate)])
        )
    errors = np.concatenate(parts, axis=1)
    spread = (float(errors[0].std()), float(errors[1].std()), float((errors[1] - errors[0]).std()))
    return (calibration_error(*reference, bins), calibration_error(*candidate, bins)), spread


def _calibration_errors(confidence: Doubles, right: Doubles, bins: int) -> Doubles:
    """Of each row (rows, items)."""
    n = confidence.shape[1]
    order = np.argsort(confidence, axis=1, kind="stable")
    gap = np.take_along_axis(confidence - right, order, axis=1)
    edges = np.linspace(0, n, min(bins, n) + 1).astype(np.int64)
    sums = np.add.reduceat(gap, edges[:-1], axis=1)
    errors: Doubles = np.abs(sums).sum(axis=1) / n
    return errors


def around(value: float, spread: float, confidence: float, within: Interval = (-math.inf, math.inf)) -> Interval:
    """Normal interval of a figure with that standard error, cut to what it can be."""
    reach = z_of(confidence) * spread
    return max(within[0], value - reach), min(within[1], value + reach)
