"""Distances between next-token distributions, and intervals that know that neighbouring tokens are alike.

Intervals of means and quantiles: percentile bootstrap over blocks of consecutive positions (Künsch 1989), 95 %,
seeded. Interval of a share: Wilson (1927).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeshrink.core.reading import Measured, Reading, Unmeasured

Doubles = NDArray[np.float64]

BLOCK = 64
RESAMPLES = 1000
SEED = 20211
_Z95 = 1.959963984540054
FEWEST_FOR_P99 = 100


def log_softmax(logits: ArrayLike) -> Doubles:
    """Natural logarithms of the probabilities along the last axis, in float64."""
    given = np.asarray(logits, dtype=np.float64)
    shifted: Doubles = given - given.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def kl_divergence(reference: Doubles, candidate: Doubles) -> Doubles:
    """KL(reference || candidate) of log-probabilities (n, vocabulary), in nats, shape (n,)."""
    divergence: Doubles = (np.exp(reference) * (reference - candidate)).sum(axis=-1)
    return divergence


@dataclass(frozen=True, slots=True)
class Blocks:
    """Positions in blocks of neighbours, and the resampled sets of blocks that all intervals share."""

    bounds: tuple[tuple[int, int], ...]
    draws: NDArray[np.int64]

    @classmethod
    def of(cls, windows: int, scored_each: int, *, block: int = BLOCK, seed: int = SEED) -> Blocks:
        """Blocks of at most `block` positions that never reach over the end of a window."""
        bounds = tuple(
            (window * scored_each + start, window * scored_each + min(start + block, scored_each))
            for window in range(windows)
            for start in range(0, scored_each, block)
        )
        draws = np.random.default_rng(seed).integers(len(bounds), size=(RESAMPLES, len(bounds)))
        return cls(bounds, draws)

    def mean(self, values: Doubles, then: Callable[[float], float] = float) -> Reading:
        """`then` of the mean of `values`, with its interval."""
        if not np.isfinite(values).all():
            return Unmeasured(_not_finite(values))
        sums = np.array([values[first:last].sum() for first, last in self.bounds])
        sizes = np.array([last - first for first, last in self.bounds])
        means = sums[self.draws].sum(axis=1) / sizes[self.draws].sum(axis=1)
        return self._measured(then(float(values.mean())), [then(float(mean)) for mean in means], len(values))

    def quantile(self, values: Doubles, share: float) -> Reading:
        """The `share` quantile of `values` (linear interpolation), with its interval."""
        if not np.isfinite(values).all():
            return Unmeasured(_not_finite(values))
        resampled = [
            float(np.quantile(np.concatenate([values[slice(*self.bounds[index])] for index in draw]), share))
            for draw in self.draws[: RESAMPLES // 4]
        ]
        return self._measured(float(np.quantile(values, share)), resampled, len(values))

    def _measured(self, value: float, resampled: list[float], n: int) -> Reading:
        if not math.isfinite(value):
            return Unmeasured("it is beyond every number: the candidate rules out what the text says")
        if len(self.bounds) < 2:
            return Measured(value, n=n, how="one block of text, no interval")
        low, high = (float(bound) for bound in np.quantile(resampled, (0.025, 0.975)))
        how = f"95 % interval, bootstrap over {len(self.bounds)} blocks of up to {BLOCK} positions"
        return Measured(value, n=n, low=min(low, value), high=max(high, value), how=how)


def share(hits: int, n: int) -> Measured:
    """A share and its Wilson interval."""
    observed, z = hits / n, _Z95
    center = (observed + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(observed * (1 - observed) / n + z * z / (4 * n * n))
    low, high = max(0.0, center - reach), min(1.0, center + reach)
    return Measured(observed, n=n, low=min(low, observed), high=max(high, observed), how="95 % Wilson interval")


def _not_finite(values: Doubles) -> str:
    return f"{int((~np.isfinite(values)).sum())} of {len(values)} positions are not finite"
