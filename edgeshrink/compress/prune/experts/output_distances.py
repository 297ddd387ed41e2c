"""How unlike two experts' outputs are on the same tokens, whichever of them the router asks.

Chen et al. 2024, "Retraining-Free Merging of Sparse MoE via Hierarchical Clustering" (HC-SMoE), arXiv:2410.08589,
cluster experts by the Euclidean distance of their mean outputs; here it is the root mean square distance token by
token, which a mean that is near zero does not hide. Imports torch: for jobs only.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgeshrink.compress.prune.experts.routed import Idle, expert_of, sizes

_EVERY = 8


class OutputDistances(Idle):
    """Array "distances": (layers, experts, experts) float64, of every eighth token."""

    def __init__(self, model: Any) -> None:
        self._experts = [layer.mlp.experts for layer in model.model.layers]
        layers, self._count, _ = sizes(model)
        self._products = torch.zeros(layers, self._count, self._count, dtype=torch.float64)
        self._tokens = 0

    def batch(self, layer: int, hidden: Tensor, used: Tensor, weights: Tensor) -> None:
        rows, module = hidden[::_EVERY], self._experts[layer]
        outputs = torch.stack([expert_of(module, expert, rows)[1].flatten() for expert in range(self._count)])
        self._products[layer] += (outputs @ outputs.T).double().cpu()
        self._tokens += len(rows) if layer == 0 else 0

    def arrays(self) -> dict[str, Any]:
        own = self._products.diagonal(dim1=1, dim2=2)
        squares = own[:, :, None] + own[:, None, :] - 2 * self._products
        return {"distances": (squares.clamp(min=0) / max(1, self._tokens)).sqrt().numpy()}
