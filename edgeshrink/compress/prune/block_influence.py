"""Block influence of a layer: 1 - the mean over tokens of cos(hidden state before it, hidden state after it).

Men et al. 2024, "ShortGPT: Layers in Large Language Models are More Redundant Than You Expect", arXiv:2403.03853,
equation 1. A layer that hardly turns the hidden state is little missed. Imports torch: for jobs only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from numpy.typing import NDArray

from edgeshrink.compress.prune.observing import Observing, first


class BlockInfluence(Observing):
    """Array "layers": (L,) float64, 0 to 2."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self._sums = torch.zeros(len(self.layers), dtype=torch.float64)
        self._tokens = 0

    def hooks(self) -> Iterator[Any]:
        for number, layer in enumerate(self.layers):
            yield layer.register_forward_hook(lambda _, args, output, n=number: self._see(n, args[0], first(output)))

    def _see(self, number: int, before: Any, after: Any) -> None:
        cosine = torch.nn.functional.cosine_similarity(before.float(), after.float(), dim=-1)
        self._sums[number] += cosine.double().sum().cpu()
        if number == 0:
            self._tokens += cosine.numel()

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"layers": (1 - self._sums / self._tokens).numpy()}
