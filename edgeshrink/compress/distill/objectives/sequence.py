"""Cross-entropy of the given text: what sequence-level distillation minimizes on the teacher's accepted answers.

Kim, Rush, "Sequence-Level Knowledge Distillation", 2016 (arXiv:1606.07947). The teacher is in the text alone, so it may
have another tokenizer; plain training is the same loss on any text.
"""

from __future__ import annotations

from typing import Any

import torch

from edgeshrink.compress.distill.chunked import chunked_losses
from edgeshrink.compress.distill.divergences import divergence
from edgeshrink.compress.distill.mixture import Mix
from edgeshrink.compress.distill.models import head_weight, hidden_states
from edgeshrink.compress.distill.objectives.parameters import Parameters
from edgeshrink.compress.distill.objectives.tokens import Tokens
from edgeshrink.compress.training.objective import Batch, Losses, Objective


class Sequence(Objective):
    """Part: "cross-entropy"."""

    def forward(self, batch: Batch) -> Losses:
        tokens = Tokens.of(batch)
        states = tokens.states(hidden_states(self.student, batch.tokens))
        sums = chunked_losses(
            states, head_weight(self.student), tokens.targets, tokens.weights, None, Mix(divergence("forward", 0))
        )
        return Losses(sums.total, {} if sums.cross_entropy is None else {"cross-entropy": sums.cross_entropy})

    def held_out(self, batch: Batch) -> Losses:
        with torch.no_grad():
            return self.forward(batch)


def build(student: Any, parameters: Parameters, device: str) -> Sequence:
    """`parameters` have nothing to say here."""
    return Sequence(student)
