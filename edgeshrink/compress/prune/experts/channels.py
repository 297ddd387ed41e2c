"""Importance of the channels inside an expert: root mean square of what a channel adds to the hidden state.

As `prune.ffn_importance` (after Muralidharan et al. 2024, arXiv:2407.14679), with the router's weight: over all tokens,
rms(g_j(x) * a_c(x)) * |W_down[:, c]|, a the channel's activation; a token that is sent elsewhere counts as 0. Imports
torch: for jobs only.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgeshrink.compress.prune.experts.routed import Idle, Routed, sizes


class ChannelImportance(Idle):
    """Array "channels": (layers, experts, ffn) float64."""

    def __init__(self, model: Any) -> None:
        self._downs = [layer.mlp.experts.down_proj for layer in model.model.layers]
        self._squares = torch.zeros(sizes(model), dtype=torch.float64)
        self._tokens = 0

    def batch(self, layer: int, hidden: Tensor, used: Tensor, weights: Tensor) -> None:
        self._tokens += len(hidden) if layer == 0 else 0

    def forward(self, routed: Routed) -> None:
        weighted = routed.weights[:, None] * routed.channels
        self._squares[routed.layer, routed.expert] += weighted.square().sum(0, dtype=torch.float64).cpu()

    def arrays(self) -> dict[str, Any]:
        columns = torch.stack([down.detach().float().norm(dim=1).double().cpu() for down in self._downs])
        return {"channels": ((self._squares / max(1, self._tokens)).sqrt() * columns).numpy()}
