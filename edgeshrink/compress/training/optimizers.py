"""AdamW (Loshchilov & Hutter 2019), or Muon (Jordan et al. 2024) for the inner matrices and AdamW for the rest.

Muon's step is scaled to the root mean square of AdamW's (Liu et al. 2025, "Muon is Scalable for LLM Training"), so one
rate serves both. Imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from edgeshrink.compress.training.schedule import base_rate, rate_factor
from edgeshrink.core.training import TrainingSettings

_BETAS = (0.9, 0.95)


class Optimizers:
    """All optimizers of a run as one. Vectors (norms, biases) do not decay. Where `settings` names no rate it is
    `share` of what the size of the whole model calls for, frozen numbers among them."""

    def __init__(self, objective: Any, settings: TrainingSettings, share: float) -> None:
        trained = {name: value for name, value in objective.named_parameters() if value.requires_grad}
        self.names = {value: name for name, value in trained.items()}
        self.rate = base_rate(settings, sum(value.numel() for value in objective.parameters()), share)
        self._settings = settings
        self.each: list[Any] = []
        inner = {name for name, value in trained.items() if _is_inner(name, value)}
        muon = inner if settings.optimizer == "muon" else set()
        if muon:
            self.each.append(
                torch.optim.Muon(
                    [trained[name] for name in trained if name in muon],
                    lr=self.rate,
                    weight_decay=settings.weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        rest = [value for name, value in trained.items() if name not in muon]
        groups = [
            {"params": [value for value in rest if value.dim() > 1], "weight_decay": settings.weight_decay},
            {"params": [value for value in rest if value.dim() < 2], "weight_decay": 0.0},
        ]
        if rest:
            kept = [group for group in groups if group["params"]]
            self.each.append(torch.optim.AdamW(kept, lr=self.rate, betas=_BETAS, fused=True))

    @property
    def parameters(self) -> list[Any]:
        """All that is trained."""
        return list(self.names)

    def step(self, number: int, planned: int | None) -> float:
        """Take step `number` of `planned` with the gradients that stand, and clear them; the rate it took."""
        rate = self.rate * rate_factor(number, planned, self._settings)
        for optimizer in self.each:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return rate

    def moments(self) -> Iterator[tuple[str, Any]]:
        """What the optimizers remember, named parameter/key."""
        for optimizer in self.each:
            for value, state in optimizer.state.items():
                for key, held in state.items():
                    if isinstance(held, torch.Tensor):
                        yield f"{self.names[value]}/{key}", held


def _is_inner(name: str, value: Any) -> bool:
    """A matrix between two layers of numbers: not the embedding, nor the head."""
    return value.dim() == 2 and "embed_tokens" not in name and "lm_head" not in name
