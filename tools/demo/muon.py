"""Muon for matrices: momentum whose update is made orthogonal.

Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration, from the post."""


def orthogonal(stack: Tensor, steps: int = 5) -> Tensor:
    """Each matrix of a stack with its singular values pushed towards one; in bfloat16, which is enough."""
    a, b, c = NEWTON_SCHULZ
    x: Tensor = stack.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.mT
        x = a * x + (b * square + c * (square @ square)) @ x
    x = x.mT if tall else x
    return x.float()


class Muon:
    """Nesterov momentum, orthogonal update scaled by sqrt(rows / columns) where that is above one, decoupled decay."""

    def __init__(self, matrices: Iterable[tuple[str, nn.Parameter]], momentum: float, decay: float) -> None:
        self.matrices = dict(matrices)
        self.momentum = momentum
        self.decay = decay
        self.state = {name: torch.zeros_like(matrix) for name, matrix in self.matrices.items()}
        self._by_shape: dict[torch.Size, list[str]] = defaultdict(list)
        for name, matrix in self.matrices.items():
            self._by_shape[matrix.shape].append(name)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for shape, names in self._by_shape.items():
            updates = []
            for name in names:
                gradient = self.matrices[name].grad
                assert gradient is not None, name
                self.state[name].lerp_(gradient, 1 - self.momentum)
                updates.append(gradient.lerp(self.state[name], self.momentum))
            scale = max(1.0, shape[0] / shape[1]) ** 0.5
            for name, update in zip(names, orthogonal(torch.stack(updates)), strict=True):
                self.matrices[name].mul_(1 - rate * self.decay).sub_(update, alpha=rate * scale)
