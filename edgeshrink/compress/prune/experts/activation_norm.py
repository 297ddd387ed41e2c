"""Router-weighted activation norm: how much an expert adds where the router asks it.

Lasby et al. 2025, "REAP the Experts: Why Pruning Prevails for One-Shot MoE Compression", arXiv:2510.13999: the mean,
over the tokens that are sent to expert j, of g_j(x) * |f_j(x)|, with the router's weight g and the expert's output f.
Imports torch: for jobs only.
"""

from __future__ import annotations

from typing import Any

import torch

from edgeshrink.compress.prune.experts.routed import Idle, Routed, sizes


class ActivationNorm(Idle):
    """Array "norm": (layers, experts) float64; 0 where no token came."""

    def __init__(self, model: Any) -> None:
        layers, count, _ = sizes(model)
        self._sums = torch.zeros(layers, count, dtype=torch.float64)
        self._tokens = torch.zeros(layers, count, dtype=torch.float64)

    def forward(self, routed: Routed) -> None:
        place = routed.layer, routed.expert
        self._sums[place] += float((routed.weights * routed.outputs.norm(dim=1)).sum(dtype=torch.float64))
        self._tokens[place] += len(routed.tokens)

    def arrays(self) -> dict[str, Any]:
        return {"norm": (self._sums / self._tokens.clamp(min=1)).numpy()}
