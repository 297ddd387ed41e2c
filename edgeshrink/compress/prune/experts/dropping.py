"""Experts are dropped: those with the highest scores of their layer stay, as they are. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeshrink.compress.prune.experts.cut import ExpertCut, NewExpert
from edgeshrink.compress.prune.selecting import highest


def dropped(scores: NDArray[np.float64], kept: int) -> ExpertCut:
    """Of `scores` (layers, experts), the `kept` highest of each layer, in the order they had; of equals the first."""
    return ExpertCut(tuple(tuple(NewExpert((number,)) for number in highest(layer, kept)) for layer in scores))


def narrowed(channels: NDArray[np.float64], width: int) -> ExpertCut:
    """Every expert with the `width` highest of its `channels` (layers, experts, ffn)."""
    return ExpertCut(
        tuple(
            tuple(NewExpert((number,), channels=highest(expert, width)) for number, expert in enumerate(layer))
            for layer in channels
        )
    )
