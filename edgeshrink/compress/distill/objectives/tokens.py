"""The tokens of a batch that count, as one list: what stands before each, and what follows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from edgeshrink.compress.training.objective import Batch


@dataclass(frozen=True, slots=True)
class Tokens:
    """Predictions of weight above 0, N of them, row by row. `rows` and `positions`: where in the batch the state stands
    that makes each, one before its target."""

    rows: Tensor
    positions: Tensor
    targets: Tensor
    weights: Tensor

    @classmethod
    def of(cls, batch: Batch) -> Tokens:
        counts = batch.weights[:, 1:]
        rows, positions = torch.nonzero(counts, as_tuple=True)
        return cls(rows, positions, batch.tokens[rows, positions + 1], counts[rows, positions])

    def states(self, hidden: Tensor) -> Tensor:
        """(N, H) of hidden states (rows, length, H)."""
        return hidden[self.rows, self.positions]
