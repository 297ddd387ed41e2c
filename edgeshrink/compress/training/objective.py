"""What a run minimizes, as the training loop sees it. Imports torch: for jobs only.

An objective is a module that owns the student (`self.student`, registered, so that DDP and FSDP2 see its parameters)
and whatever it trains beside it (projections). A frozen teacher is held out of the registry (`Frozen`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Batch:
    """`tokens` int64 (rows, length); `weights` float32 (rows, length): how much the prediction of tokens[:, i] counts,
    its first column is 0. `rows`: their numbers in the corpus, for what is stored by row."""

    tokens: Tensor
    weights: Tensor
    rows: Tensor
    step: int


@dataclass(frozen=True, slots=True)
class Losses:
    """`total`: the sum, not the mean, of weight * loss over the batch, with its gradient; `parts`: sums by name.

    The loop divides by what the whole step counts (`Objective.counted`), so that rows may be cut into any micro-batches
    and workers.
    """

    total: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counted:
    """How much a batch counts, each one number: what the sums of its losses are divided by, and `text`, what the part
    "cross-entropy" of a held-out look is."""

    total: Tensor
    text: Tensor


class Frozen:
    """Holds a module without registering it: no gradient, no checkpoint, no sharding."""

    def __init__(self, module: Any) -> None:
        self.module = module.eval().requires_grad_(False)


class Objective(nn.Module):
    """Base of all: `forward(batch) -> Losses`. `rate_share`: what the rate that follows from the model's size is
    multiplied with, where nobody gave a rate."""

    rate_share: float = 1.0

    def __init__(self, student: Any) -> None:
        super().__init__()
        self.student = student

    def forward(self, batch: Batch) -> Losses:
        raise NotImplementedError

    def texts(self, batch: Batch) -> Batch:
        """The batch to learn from: itself, or one that is written for this step (on-policy)."""
        return batch

    def counted(self, batch: Batch) -> Counted:
        """Of a batch to learn from: tokens, each by its weight, unless an objective counts something else."""
        weight = batch.weights.sum(dtype=torch.float64)
        return Counted(weight, weight)

    def held_out(self, batch: Batch) -> Losses:
        """As trained, but on the given text, and with the part "cross-entropy" of the text itself. Under no_grad."""
        raise NotImplementedError
