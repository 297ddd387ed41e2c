"""The learning rate of a step: a warm-up, a level stretch, and a fall in a straight line.

Hägele et al. 2024, "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations" (warm-up, stable,
decay); a long linear fall as in Bergsma et al. 2025, "Straight to Zero".
"""

from __future__ import annotations

import math

from edgeshrink.core.training import TrainingSettings

RATE = 1e-3
SMALL = 50_000_000
_WARMUP_SHARE = 5  # the warm-up takes a fifth of a short run at most


def base_rate(settings: TrainingSettings, parameters: int, share: float = 1.0) -> float:
    """The rate of the level stretch: as set, else `share` of what a model of so many parameters is trained with."""
    if settings.rate is not None:
        return settings.rate
    return share * RATE * min(1.0, math.sqrt(SMALL / max(1, parameters)))


def rate_factor(step: int, planned: int | None, settings: TrainingSettings) -> float:
    """What the base rate is multiplied by in step number `step` (from 0) of `planned`.

    `planned` None: the length of the run is not known yet, so it has not begun to fall.
    """
    warmup = settings.warmup if planned is None else min(settings.warmup, planned // _WARMUP_SHARE)
    rising = min(1.0, (step + 1) / max(1, warmup))
    if planned is None or settings.fall <= 0:
        return rising
    left = min(1.0, (planned - step) / (planned * settings.fall))
    return rising * (settings.floor + (1.0 - settings.floor) * left)
