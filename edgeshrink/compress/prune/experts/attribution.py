"""Attribution: what the loss of the text would lose, to first order, if an expert said nothing.

Molchanov et al. 2019, "Importance Estimation for Neural Network Pruning", arXiv:1906.10771, with an expert's weighted
output in place of a channel: |g_j(x) f_j(x) . dL/dy(x)|, L the cross-entropy of the text and y the sum that the layer
adds, as the mean over all tokens; 0 for those that are sent elsewhere. Imports torch: for jobs only.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgeshrink.compress.prune.experts.routed import Idle, Routed, sizes


class Attribution(Idle):
    """Array "attribution": (layers, experts) float64, nats a token."""

    def __init__(self, model: Any) -> None:
        layers, count, _ = sizes(model)
        self._sums = torch.zeros(layers, count, dtype=torch.float64)
        self._tokens = 0

    def batch(self, layer: int, hidden: Tensor, used: Tensor, weights: Tensor) -> None:
        self._tokens += len(hidden) if layer == 0 else 0

    def backward(self, routed: Routed, gradients: Tensor) -> None:
        effects = routed.weights * (routed.outputs * gradients).sum(1)
        self._sums[routed.layer, routed.expert] += float(effects.abs().sum(dtype=torch.float64))

    def arrays(self) -> dict[str, Any]:
        return {"attribution": (self._sums / max(1, self._tokens)).numpy()}
