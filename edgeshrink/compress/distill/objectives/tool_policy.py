"""To call or not, to answer or not: the teacher's distribution on answers, and the right token where they part.

Rows are cases (`corpus.decisions`): a prompt counts 0, an answer's token 1, the token that decides more. There the text
itself is learned, by cross-entropy, since a teacher may decide wrongly, too; everywhere else it is as with logits
(Hinton et al. 2015, arXiv:1503.02531). Of about thirty tokens of an answer the one that decides would else have a
thirtieth of the say.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from edgeshrink.compress.distill.chunked import chunked_losses
from edgeshrink.compress.distill.divergences import divergence
from edgeshrink.compress.distill.mixture import Mix
from edgeshrink.compress.distill.models import head_weight
from edgeshrink.compress.distill.objectives import logits
from edgeshrink.compress.distill.objectives.logits import Logits
from edgeshrink.compress.distill.objectives.parameters import Parameters
from edgeshrink.compress.distill.objectives.tokens import Tokens
from edgeshrink.compress.training.objective import Batch, Counted, Losses
from edgeshrink.errors import PlanError


class ToolPolicy(Logits):
    """Parts as of logits on what does not decide, and "decision": the cross-entropy, times their weight, of the tokens
    that do."""

    def losses(
        self, batch: Batch, student_hidden: Tensor, teacher_hidden: Tensor | None, *, held_out: bool = False
    ) -> Losses:
        decides = batch.weights > 1
        answers = replace(batch, weights=batch.weights.masked_fill(decides, 0))
        losses = super().losses(answers, student_hidden, teacher_hidden, held_out=held_out)
        decision = self._decision(replace(batch, weights=batch.weights * decides), student_hidden)
        parts = {**losses.parts, "decision": decision.detach()}
        if held_out:
            plain = self._decision(replace(batch, weights=decides.to(batch.weights.dtype)), student_hidden)
            parts["cross-entropy"] = losses.parts["cross-entropy"] + plain
        return Losses(losses.total + decision, parts)

    def _decision(self, batch: Batch, hidden: Tensor) -> Tensor:
        tokens = Tokens.of(batch)
        head = head_weight(self.student)[: self._vocabulary]
        mix = Mix(divergence("forward", 0))
        return chunked_losses(tokens.states(hidden), head, tokens.targets, tokens.weights, None, mix).total

    def counted(self, batch: Batch) -> Counted:
        """The text's own cross-entropy is a mean over tokens, whatever they weigh."""
        return Counted(batch.weights.sum(dtype=torch.float64), (batch.weights > 0).sum(dtype=torch.float64))


def build(student: Any, parameters: Parameters, device: str) -> Logits:
    """As of logits, a cache of the teacher too; PlanError on-policy: only a case says what is right in it."""
    if parameters.settings.on_policy:
        raise PlanError(
            "the objective tool-policy learns what its cases say, not what the student writes",
            hint="leave --on-policy out",
        )
    return logits.build(student, parameters, device, kind=ToolPolicy)
