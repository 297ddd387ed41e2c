"""How a router spreads its tokens: the counts that usage is told from. Imports torch: for jobs only."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgeshrink.compress.prune.experts.routed import Idle, sizes


class Routing(Idle):
    """Arrays "counts" (layers, experts): tokens sent there; "weights": the sum of the router's weights; "sharpness"
    (layers,): mean over tokens of the sum of squares of the weights, scaled to a sum of 1, from 1 / used (all alike) to
    1 (one expert does it all)."""

    def __init__(self, model: Any) -> None:
        layers, self._count, _ = sizes(model)
        self._tokens = torch.zeros(layers, self._count, dtype=torch.float64)
        self._weights = torch.zeros(layers, self._count, dtype=torch.float64)
        self._squares = torch.zeros(layers, dtype=torch.float64)
        self._seen = 0

    def batch(self, layer: int, hidden: Tensor, used: Tensor, weights: Tensor) -> None:
        flat, shares = used.flatten().cpu(), weights.double().cpu()
        self._tokens[layer] += torch.bincount(flat, minlength=self._count)
        self._weights[layer].index_add_(0, flat, shares.flatten())
        scaled = shares / shares.sum(1, keepdim=True).clamp(min=1e-12)
        self._squares[layer] += float(scaled.square().sum())
        self._seen += len(hidden) if layer == 0 else 0

    def arrays(self) -> dict[str, Any]:
        return {
            "counts": self._tokens.numpy(),
            "weights": self._weights.numpy(),
            "sharpness": (self._squares / max(1, self._seen)).numpy(),
        }
