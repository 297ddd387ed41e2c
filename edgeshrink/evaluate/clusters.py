"""Figures over the positions of texts, with intervals at any confidence that know that neighbouring tokens are alike.

The unit that varies is a block: up to 64 consecutive positions of one window. Means: Student's t on the ratio of block
sums to block sizes (Cochran, Sampling Techniques, 6.3). Shares: Wilson's interval with as many observations as the
blocks are worth (Kish's design effect). Anything else: standard error over resampled blocks, seeded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.evaluate.paired import Interval, around, wilson
from edgeshrink.evaluate.quantiles import t_of
from edgeshrink.evaluate.slices.interface import ReadText
from edgeshrink.evaluate.statistics import BLOCK, Doubles

RESAMPLES = 400
SEED = 60013
_FOR_PEOPLE = 0.95


def column(texts: Sequence[ReadText], name: str) -> Doubles:
    """One of the figures of Distances, of all positions of `texts`."""
    return np.concatenate([getattr(text.distances, name) for text in texts], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Figure:
    """A value, its 95 % interval as a reading, and its interval at the confidence of gates; None where there is none,
    or where positions are not finite."""

    reading: Reading
    bounds: Interval | None

    def then(self, change: Callable[[float], float]) -> Figure:
        """The figure of `change`, which rises."""
        if not isinstance(self.reading, Measured):
            return self
        given = self.reading
        low, high = (None if end is None else change(end) for end in (given.low, given.high))
        bounds = None if self.bounds is None else (change(self.bounds[0]), change(self.bounds[1]))
        return Figure(Measured(change(given.value), n=given.n, low=low, high=high, how=given.how), bounds)


@dataclass(frozen=True)
class Clusters:
    """`sizes` of the blocks, in the order of the positions; gates are judged at `each`."""

    sizes: NDArray[np.int64]
    each: float
    block: str = field(default=f"blocks of up to {BLOCK} positions")

    @classmethod
    def of(cls, texts: Sequence[ReadText], each: float) -> Clusters:
        sizes = [
            min(BLOCK, text.scored_each - start)
            for text in texts
            for _ in range(text.windows)
            for start in range(0, text.scored_each, BLOCK)
        ]
        return cls(np.array(sizes, np.int64), each)

    @property
    def n(self) -> int:
        return int(self.sizes.sum())

    def mean(self, values: Doubles) -> Figure:
        if (broken := _not_finite(values)) is not None:
            return broken
        if len(self.sizes) < 2:
            return self._alone(float(values.mean()))
        return self._student(float(values.mean()), self._error_of_mean(values))

    def ratio(self, *terms: tuple[Doubles, Doubles]) -> Figure:
        """Of (values, sizes): the sum of the values over the sum of their sizes. Of two such terms, how much larger the
        first ratio is than the second: blocks pair them."""
        values, errors = 0.0, np.zeros(len(self.sizes))
        for sign, (above, below) in zip((1.0, -1.0), terms, strict=False):
            if (broken := _not_finite(above)) is not None:
                return broken
            total = float(below.sum())
            if not total:
                return Figure(Unmeasured("nothing was counted"), None)
            ratio = float(above.sum()) / total
            values += sign * ratio
            errors += sign * (self.sums(above) - ratio * self.sums(below)) / total
        count = len(self.sizes)
        if count < 2:
            return self._alone(values)
        return self._student(values, math.sqrt(count / (count - 1) * float(errors @ errors)))

    def share(self, hits: Doubles) -> Figure:
        if (broken := _not_finite(hits)) is not None:
            return broken
        share, n = float(hits.mean()), len(hits)
        worth = float(n)
        if 0 < share < 1 and len(self.sizes) > 1:
            worth = min(worth, share * (1 - share) / max(self._error_of_mean(hits) ** 2, 1e-300))
        people, gates = (wilson(share * worth, worth, confidence) for confidence in (_FOR_PEOPLE, self.each))
        return self._figure(share, people, gates, "Wilson with the design effect")

    def quantile(self, values: Doubles, share: float) -> Figure:
        """Of values that are nowhere below 0."""
        if (broken := _not_finite(values)) is not None:
            return broken
        found = float(np.quantile(values, share))
        if len(self.sizes) < 2:
            return self._alone(found)
        order = np.argsort(values, kind="stable")
        blocks = np.repeat(np.arange(len(self.sizes)), self.sizes)[order]
        resampled = []
        for counts in self.resampled:
            below = np.cumsum(counts[blocks])
            resampled.append(values[order[min(int(np.searchsorted(below, share * below[-1])), len(order) - 1)]])
        return self.resampled_figure(found, np.array(resampled), (0.0, math.inf))

    @cached_property
    def resampled(self) -> NDArray[np.int16]:
        """(RESAMPLES, blocks): how many times each block is drawn."""
        count, random = len(self.sizes), np.random.default_rng(SEED)
        drawn = np.empty((RESAMPLES, count), np.int16)
        for row in range(RESAMPLES):
            drawn[row] = random.multinomial(count, [1 / count] * count)
        return drawn

    def over_resampled(self, sums: Doubles) -> Doubles:
        """Of `sums` (blocks, ...), those over each resampled set of blocks: (RESAMPLES, ...)."""
        return np.stack([counts @ sums for counts in self.resampled])

    def sums(self, values: Doubles) -> Doubles:
        """Of `values` (positions, ...), over each block: (blocks, ...)."""
        begins = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        sums: Doubles = np.add.reduceat(values, begins, axis=0)
        return sums

    def resampled_figure(self, value: float, resampled: Doubles, within: Interval = (-math.inf, math.inf)) -> Figure:
        """A figure whose values over `self.resampled` are known, and which cannot be outside `within`."""
        if len(self.sizes) < 2:
            return self._alone(value)
        error = float(resampled.std(ddof=1))
        people, gates = (around(value, error, confidence, within) for confidence in (_FOR_PEOPLE, self.each))
        return self._figure(value, people, gates, "bootstrap")

    def _error_of_mean(self, values: Doubles) -> float:
        """Standard error of the mean over all positions."""
        count = len(self.sizes)
        residuals = self.sums(values) - values.mean() * self.sizes
        return math.sqrt(count / (count - 1) * float(residuals @ residuals)) / self.n

    def _student(self, value: float, error: float) -> Figure:
        low, high, *bounds = (
            value + side * t_of(confidence, len(self.sizes) - 1) * error
            for confidence in (_FOR_PEOPLE, self.each)
            for side in (-1, 1)
        )
        return self._figure(value, (low, high), (bounds[0], bounds[1]), "Student's t")

    def _alone(self, value: float) -> Figure:
        return Figure(Measured(value, n=self.n, how=f"a single one of the {self.block}, no interval"), None)

    def _figure(self, value: float, people: Interval, gates: Interval, method: str) -> Figure:
        how = f"95 % interval, {method} over {len(self.sizes)} {self.block}"
        return Figure(Measured(value, n=self.n, low=people[0], high=people[1], how=how), gates)


def _not_finite(values: Doubles) -> Figure | None:
    wrong = int((~np.isfinite(values)).sum())
    return Figure(Unmeasured(f"{wrong} of {len(values)} positions are not finite"), None) if wrong else None
