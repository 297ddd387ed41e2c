"""Power over time, from readings: its integral, how often the sensor itself brings it up to date, where it is torn."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from edgeshrink.core.power import PowerSample
from edgeshrink.measure.statistics import percentile

_CHANGES_NEEDED = 5
"""Fewer changes than these tell nothing of how often a sensor could have changed."""
_SLOWER = 1.5
_ON_EDGE_S = 2e-3


@dataclass(frozen=True, slots=True)
class Curve:
    """Readings in order of time, two at least. `averages`: each is the mean since the one before; else a moment's.

    Between two moments power is taken to change evenly; outside all readings, to stay as at the nearest one.
    """

    at: tuple[float, ...]
    watts: tuple[float, ...]
    averages: bool
    step_s: float
    """Typical seconds between two readings."""
    period_s: float
    """Seconds between two readings that can differ: the sensor's own, where that is slower than the sampling."""

    @classmethod
    def through(cls, samples: Sequence[PowerSample], averages: bool) -> Curve:
        at, watts = tuple(s.at_s for s in samples), tuple(s.watts for s in samples)
        step = percentile([b - a for a, b in pairwise(at)], 50)
        return cls(at, watts, averages, step, _period(at, watts, averages, step))

    def joules(self, began: float, ended: float) -> float:
        """The integral from `began` to `ended`, readings or not at these two moments."""
        inside = self.at[bisect_right(self.at, began) : bisect_left(self.at, ended)]
        knots = (began, *inside, ended)
        total = 0.0
        for start, end in pairwise(knots):
            mean = self._since(end) if self.averages else (self.at_moment(start) + self.at_moment(end)) / 2
            total += mean * (end - start)
        return total

    def _since(self, moment: float) -> float:
        """The mean that holds for the stretch that ends at `moment`."""
        return self.watts[min(bisect_left(self.at, moment), len(self.at) - 1)]

    def at_moment(self, moment: float) -> float:
        after = bisect_left(self.at, moment)
        if after == 0 or after == len(self.at):
            return self.watts[min(after, len(self.at) - 1)]
        if self.averages:
            return self.watts[after]
        before = after - 1
        share = (moment - self.at[before]) / (self.at[after] - self.at[before])
        return self.watts[before] + share * (self.watts[after] - self.watts[before])

    def count(self, began: float, ended: float) -> int:
        """Readings in there."""
        return bisect_right(self.at, ended) - bisect_left(self.at, began)

    def is_exact(self, began: float, ended: float) -> bool:
        """A counter that was read at both moments: no reading between them is needed."""
        if not self.averages or self.period_s > self.step_s:
            return False
        return all(self._is_read_at(moment) for moment in (began, ended))

    def _is_read_at(self, moment: float) -> bool:
        near = bisect_left(self.at, moment - _ON_EDGE_S)
        return near < len(self.at) and self.at[near] <= moment + _ON_EDGE_S

    def longest_gap(self, began: float, ended: float) -> float:
        """Seconds of the longest stretch in there without a reading."""
        inside = self.at[bisect_left(self.at, began) : bisect_right(self.at, ended)]
        return max(b - a for a, b in pairwise((began, *inside, ended)))

    def spread(self, began: float, ended: float) -> list[float]:
        """Watts of the readings in there."""
        return list(self.watts[bisect_left(self.at, began) : bisect_right(self.at, ended)])


def _period(at: Sequence[float], watts: Sequence[float], averages: bool, step: float) -> float:
    """Of the times between two changes the lower quartile counts: power may stand still, sensors do not hurry."""
    if averages:  # a counter that stood still gave 0, and the next mean has all of it
        changes = [moment for moment, power in zip(at, watts, strict=True) if power != 0]
    else:
        changes = [moment for moment, (before, now) in zip(at[1:], pairwise(watts), strict=True) if now != before]
    if len(changes) <= _CHANGES_NEEDED:
        return step
    slow = percentile([b - a for a, b in pairwise(changes)], 25)
    return slow if slow > _SLOWER * step else step


def thinned(samples: Sequence[PowerSample], most: int) -> tuple[PowerSample, ...]:
    """At most about `most` of them, each the mean of a group side by side."""
    size = max(1, math.ceil(len(samples) / most))
    groups = [samples[at : at + size] for at in range(0, len(samples), size)]
    return tuple(
        PowerSample(math.fsum(s.at_s for s in group) / len(group), math.fsum(s.watts for s in group) / len(group))
        for group in groups
    )
