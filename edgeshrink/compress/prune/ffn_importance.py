"""Importance of feed-forward channels: the root mean square of what a channel adds to the hidden state.

After Muralidharan et al. 2024, "Compact Language Models via Pruning and Knowledge Distillation" (Minitron),
arXiv:2407.14679, who rank channels by their activations on calibration text alone (mean over positions, L2 over
sequences). Here the activation is what enters down_proj, silu(gate) * up; it is aggregated as root mean square over all
tokens and multiplied by the L2 norm of the channel's column of down_proj, since a loud channel with a small column adds
little: score[i] = rms(a_i) * |W_down[:, i]|. Imports torch: for jobs only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from numpy.typing import NDArray

from edgeshrink.compress.prune.observing import Observing


class FfnImportance(Observing):
    """Array "ffn": (L, F) float64."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self._downs = [layer.mlp.down_proj for layer in self.layers]
        self._squares = torch.zeros(len(self.layers), self._downs[0].in_features, dtype=torch.float64)
        self._tokens = 0

    def hooks(self) -> Iterator[Any]:
        for number, down in enumerate(self._downs):
            yield down.register_forward_pre_hook(lambda _, args, n=number: self._see(n, args[0]))

    def _see(self, number: int, channels: Any) -> None:
        rows = channels.flatten(0, -2).float()
        self._squares[number] += rows.square().sum(0, dtype=torch.float64).cpu()
        if number == 0:
            self._tokens += rows.shape[0]

    def arrays(self) -> dict[str, NDArray[Any]]:
        columns = torch.stack([down.weight.detach().float().norm(dim=0).double().cpu() for down in self._downs])
        return {"ffn": ((self._squares / self._tokens).sqrt() * columns).numpy()}
