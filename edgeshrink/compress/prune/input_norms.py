"""Root mean squares of what enters each matrix of the blocks: the |X_j| of Wanda (Sun et al. 2023, arXiv:2306.11695).

Means in place of sums: within a row, where they are compared, only ratios count. Imports torch: for jobs only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from numpy.typing import NDArray

from edgeshrink.compress.prune.observing import Observing
from edgeshrink.compress.prune.scores import INPUTS


class InputNorms(Observing):
    """Arrays "inputs.NAME", (L, width) float32, for the names of `scores.INPUTS`."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self._modules = {
            name: [layer.get_submodule(parts[0]) for layer in self.layers] for name, parts in INPUTS.items()
        }
        self._squares = {
            name: torch.zeros(len(modules), modules[0].in_features, dtype=torch.float64)
            for name, modules in self._modules.items()
        }
        self._tokens = 0

    def hooks(self) -> Iterator[Any]:
        for name, modules in self._modules.items():
            for number, module in enumerate(modules):
                yield module.register_forward_pre_hook(lambda _, args, k=name, n=number: self._see(k, n, args[0]))

    def _see(self, name: str, number: int, inputs: Any) -> None:
        rows = inputs.flatten(0, -2).float()
        self._squares[name][number] += rows.square().sum(0, dtype=torch.float64).cpu()
        if name == "qkv" and number == 0:
            self._tokens += rows.shape[0]

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {
            f"inputs.{name}": (squares / self._tokens).sqrt().float().numpy() for name, squares in self._squares.items()
        }
