"""Objectives for the tests of training, as a job finds them by name."""

from __future__ import annotations

import os
import signal
from typing import Any

import torch
from torch import Tensor

from edgeshrink.compress.distill.models import head_weight, hidden_states
from edgeshrink.compress.training.objective import Batch, Losses, Objective


class CrossEntropy(Objective):
    """Of the text itself. `kill_at`: as by `kill -9` in that step, `stop_at`: by SIGTERM; `spoil_at`: NaN."""

    def __init__(self, student: Any, kill_at: int | None, spoil_at: int | None, stop_at: int | None) -> None:
        super().__init__(student)
        self.kill_at, self.spoil_at, self.stop_at = kill_at, spoil_at, stop_at

    def forward(self, batch: Batch) -> Losses:
        if batch.step == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if batch.step == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        total = cross_entropy(self.student, batch)
        if batch.step == self.spoil_at:
            total = total * float("nan")
        return Losses(total, {"cross-entropy": total.detach()})

    def held_out(self, batch: Batch) -> Losses:
        total = cross_entropy(self.student, batch)
        return Losses(total, {"cross-entropy": total})


def cross_entropy(student: Any, batch: Batch) -> Tensor:
    """Sum over the batch of weight * -log p(token), nats."""
    logits = torch.nn.functional.linear(hidden_states(student, batch.tokens), head_weight(student)).float()
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), batch.tokens[:, 1:].flatten(), reduction="none"
    )
    return (losses * batch.weights[:, 1:].flatten()).sum()


def build(student: Any, parameters: dict[str, Any], device: Any) -> CrossEntropy:
    """The objective, and what it does to whom: `rank` limits the accidents to one worker."""
    mine = parameters.get("rank") is None or str(parameters["rank"]) == os.environ.get("RANK", "0")
    accidents = [parameters.get(name) if mine else None for name in ("kill_at", "spoil_at", "stop_at")]
    return CrossEntropy(student, *accidents)
