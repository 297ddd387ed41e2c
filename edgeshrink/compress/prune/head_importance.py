"""Importance of a key-value group: the root mean square, over tokens, of the L2 norm of what its heads add together.

After Muralidharan et al. 2024 (Minitron), arXiv:2407.14679, who rank heads by the L2 norm of their output on
calibration text. Here the output is taken behind o_proj, of all query heads that share one key-value head (Ainslie et
al. 2023, GQA) together, since they stay or go together: score[g] = sqrt(mean over tokens of |W_o[:, g] a_g|^2).
Imports torch: for jobs only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from numpy.typing import NDArray

from edgeshrink.compress.prune.observing import Observing


class HeadImportance(Observing):
    """Array "groups": (L, key-value heads) float64."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self._outs = [layer.self_attn.o_proj for layer in self.layers]
        self._groups = int(model.config.num_key_value_heads)
        self._squares = torch.zeros(len(self.layers), self._groups, dtype=torch.float64)
        self._tokens = 0

    def hooks(self) -> Iterator[Any]:
        for number, out in enumerate(self._outs):
            yield out.register_forward_pre_hook(lambda _, args, n=number: self._see(n, args[0]))

    def _see(self, number: int, heads: Any) -> None:
        rows = heads.flatten(0, -2)
        width = rows.shape[-1] // self._groups
        weight = self._outs[number].weight.detach()
        for group in range(self._groups):
            span = slice(group * width, (group + 1) * width)
            added = torch.nn.functional.linear(rows[:, span], weight[:, span]).float()
            self._squares[number, group] += added.square().sum(dtype=torch.float64).cpu()
        if number == 0:
            self._tokens += rows.shape[0]

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"groups": (self._squares / self._tokens).sqrt().numpy()}
