"""Of several answers to one prompt the best and the worst, by a figure of each; near ties say nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

TIE: Final = 0.1
"""Nats a token: answers that a teacher finds so nearly as probable are not ranked."""


def best_and_worst(figures: Sequence[float], tie: float = TIE) -> tuple[int, int] | None:
    """The first of the highest and the first of the lowest; None where they are less than `tie` apart, or alone."""
    if len(figures) < 2:
        return None
    places = range(len(figures))
    best, worst = max(places, key=figures.__getitem__), min(places, key=figures.__getitem__)
    return (best, worst) if best != worst and figures[best] - figures[worst] >= tie else None
