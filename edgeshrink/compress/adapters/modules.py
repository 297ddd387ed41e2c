"""A low-rank update beside a frozen linear layer (Hu et al. 2021, arXiv:2106.09685). Imports torch: for jobs only."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class AdaptedLinear(nn.Module):
    """W x + scale * B (A x): `base` (out, in) is frozen, `a` (rank, in) and `b` (out, rank) are trained.

    A starts as torch starts a linear layer (Kaiming, uniform) and B at zero, so that the layer does at first what its
    base does.
    """

    def __init__(self, base: nn.Linear, rank: int, scale: float, generator: torch.Generator) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.scale = scale
        made = {"device": base.weight.device, "dtype": torch.float32}
        bound = 1 / math.sqrt(base.in_features)  # kaiming_uniform_ with a = sqrt(5)
        start = torch.rand(rank, base.in_features, generator=generator) * (2 * bound) - bound
        self.a = nn.Parameter(start.to(**made))
        self.b = nn.Parameter(torch.zeros(base.out_features, rank, **made))

    @property
    def weight(self) -> Tensor:
        """The base's, for who asks a linear layer for its type or its place."""
        weight: Tensor = self.base.weight
        return weight

    def forward(self, values: Tensor) -> Tensor:
        update = functional.linear(functional.linear(values, self.a), self.b)
        found: Tensor = self.base(values) + self.scale * update
        return found


def adapt(model: Any, *, rank: int, scale: float, targets: tuple[str, ...], suffix: str, seed: int) -> None:
    """Freeze all of `model`, and hang updates beside the linear layers of its decoder that `targets` names, () being
    all whose names end in `suffix`. Each layer's start depends on `seed` and on the order of the layers alone."""
    model.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    found = [
        (name, module)
        for name, module in model.model.layers.named_modules()
        if isinstance(module, nn.Linear) and _is_target(name.rpartition(".")[2], targets, suffix)
    ]
    for name, module in found:
        parent, _, last = name.rpartition(".")
        setattr(model.model.layers.get_submodule(parent), last, AdaptedLinear(module, rank, scale, generator))


def adapted(model: Any) -> dict[str, AdaptedLinear]:
    """The updates of `model` by the names of their layers, as the model has them without any, in order."""
    return {name: module for name, module in model.named_modules() if isinstance(module, AdaptedLinear)}


def _is_target(name: str, targets: tuple[str, ...], suffix: str) -> bool:
    return name in targets if targets else name.endswith(suffix)
