"""How a mixture's router spreads its tokens over the experts, and the file that says so beside the model."""

from __future__ import annotations

import math
from dataclasses import dataclass

USAGE_FILE = "edgeshrink-experts.json"
USAGE_SCHEMA = "edgeshrink-experts-1"


@dataclass(frozen=True, slots=True)
class LayerUsage:
    """`shares` of the tokens' choices that fall to each expert, adding up to 1. `sharpness`: mean over tokens of the
    sum of squares of the router's weights, scaled to a sum of 1: from 1 / used (all used experts alike) to 1 (one of
    them does it all)."""

    shares: tuple[float, ...]
    sharpness: float

    @property
    def entropy(self) -> float:
        """Of the shares, from 0 (always the same experts) to 1 (all equally often)."""
        if len(self.shares) < 2:
            return 0.0
        return -sum(share * math.log(share) for share in self.shares if share > 0) / math.log(len(self.shares))


@dataclass(frozen=True, slots=True)
class ExpertUsage:
    """Counted on `tokens` of a text; `used`: experts a token."""

    used: int
    tokens: int
    text_sha256: str
    layers: tuple[LayerUsage, ...]
