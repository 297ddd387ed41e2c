"""An objective as DDP and FSDP2 want it: a module whose forward returns tensors in plain containers. Imports torch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from edgeshrink.compress.training.objective import Batch, Counted, Losses, Objective


class Wrapped(nn.Module):
    """FSDP2 finds the tensors that gradients come back through in tuples and dicts, not in dataclasses."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.objective = objective

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        losses = self.objective(batch)
        return losses.total, losses.parts

    def texts(self, batch: Batch) -> Batch:
        """What to learn from in this step."""
        with torch.no_grad():
            return self.objective.texts(batch)

    def counted(self, batch: Batch) -> Counted:
        """What the losses of a batch are divided by, together with those of all others of its step."""
        with torch.no_grad():
            return self.objective.counted(batch)

    def held_out(self, batch: Batch) -> Losses:
        """The losses on held-out text, in evaluation mode."""
        self.objective.student.eval()
        try:
            with torch.no_grad():
                return self.objective.held_out(batch)
        finally:
            self.objective.student.train()


def batch_of(corpus: Any, rows: Any, live: Any, *, part: str, step: int, device: torch.device) -> Batch:
    """Rows of the corpus on the device; rows that only fill up weigh nothing."""
    tokens, weights = corpus.batch(rows, part)
    batch = Batch(
        torch.from_numpy(tokens).long(), torch.from_numpy(weights * live[:, None]), torch.from_numpy(rows), step
    )
    return batch if device.type == "cpu" else moved(batch, device)


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch on `device`; its row numbers stay in the CPU's memory, where what is stored by row is read."""
    return replace(batch, tokens=batch.tokens.to(device), weights=batch.weights.to(device))
