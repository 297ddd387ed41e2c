"""Percentiles and spreads that say how many samples stand behind them, and refuse when those are too few."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgeshrink.core.reading import Measured, Reading, Unmeasured

SAMPLES_NEEDED = {50: 1, 95: 20, 99: 100}
"""The tail beyond a percentile must hold at least one sample: 1 / (1 - p)."""


def percentile(samples: Sequence[float], percent: float) -> float:
    """Linear interpolation between the closest ranks: position (n - 1) * percent / 100 (numpy's default)."""
    if not samples:
        raise ValueError("no samples")
    ordered = sorted(samples)
    position = (len(ordered) - 1) * percent / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def percentile_reading(samples: Sequence[float], percent: int, *, how: str) -> Reading:
    """The percentile with the samples' min and max as low and high; Unmeasured where they are too few."""
    needed = SAMPLES_NEEDED[percent]
    if len(samples) < needed:
        return Unmeasured(f"p{percent} needs at least {needed} samples, there are {len(samples)}")
    return Measured(
        percentile(samples, percent),
        n=len(samples),
        low=min(samples),
        high=max(samples),
        how=f"{how}; p{percent} of {len(samples)}, low/high: min..max",
    )


def median_reading(samples: Sequence[float], *, how: str, nothing: str) -> Reading:
    """The median with min and max as low and high; Unmeasured(`nothing`) without samples."""
    if not samples:
        return Unmeasured(nothing)
    return Measured(
        percentile(samples, 50),
        n=len(samples),
        low=min(samples),
        high=max(samples),
        how=f"{how}; median of {len(samples)}, low/high: min..max",
    )
