"""Quantiles of the normal, Student's t and the beta distribution, at any probability: gates need far tails.

The regularized incomplete beta function by its continued fraction (Press et al., Numerical Recipes, 6.4), the
quantiles by bisection.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from statistics import NormalDist

_TERMS = 500
_TINY = 1e-300
_HALVINGS = 200


def z_of(confidence: float) -> float:
    """The normal quantile of a two-sided interval: 1.96 for 0.95."""
    return -NormalDist().inv_cdf((1.0 - confidence) / 2.0)


@cache
def t_of(confidence: float, freedom: float) -> float:
    """Student's quantile of a two-sided interval with `freedom` degrees of freedom: 2.262 for 0.95 and 9."""
    tail = (1.0 - confidence) / 2.0
    # P(T > t) = I_x(freedom / 2, 1 / 2) / 2 at x = freedom / (freedom + t^2)
    share = beta_quantile(2.0 * tail, freedom / 2.0, 0.5)
    return math.sqrt(freedom * (1.0 - share) / share) if share > 0 else math.inf


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The x at which `beta_cdf` is `probability`."""
    return bisect(lambda x: beta_cdf(x, a, b) - probability, 0.0, 1.0)


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function I_x(a, b)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - beta_cdf(1.0 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    return front * _fraction(x, a, b) / a


def bisect(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where the rising function crosses zero between `low` and `high`, as closely as floats can say."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if not low < middle < high:
            break
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def _fraction(x: float, a: float, b: float) -> float:
    """Lentz's method."""
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _TERMS):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _away_from_zero(1.0 + numerator * d)
            c = _away_from_zero(1.0 + numerator / c)
            value *= c * d
        if abs(c * d - 1.0) < 1e-16:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
