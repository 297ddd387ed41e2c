"""Pairs of answers to one prompt, of which one is preferred: a loss of the DPO family, anchored to the teacher.

The teacher, frozen, is the reference. What is preferred may still ruin a small model: so the student stays near the
teacher's distributions on the answers that were chosen, and on plain text where some is mixed in. A row counts as one,
whatever its length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from edgeshrink.compress.corpus.corpus import REJECTED
from edgeshrink.compress.distill.chunked import Dense, chunked_losses
from edgeshrink.compress.distill.divergences import divergence
from edgeshrink.compress.distill.mixture import Mix
from edgeshrink.compress.distill.models import head_weight, hidden_states, load_frozen
from edgeshrink.compress.distill.objectives.parameters import Parameters
from edgeshrink.compress.distill.objectives.tokens import Tokens
from edgeshrink.compress.distill.preferences import preference_loss
from edgeshrink.compress.distill.preferences.interface import Ratios
from edgeshrink.compress.distill.token_log_probs import token_log_probs
from edgeshrink.compress.training.objective import Batch, Counted, Frozen, Losses, Objective
from edgeshrink.core.training import ObjectiveSettings
from edgeshrink.errors import PlanError


@dataclass(frozen=True, slots=True)
class Halves:
    """Rows as the models read them: `batch` has both halves of each, (2 rows, tokens), one below the other, cut behind
    the last token that counts. `tokens` are the N of all answers; `rejected` (N,) whether theirs was, `paired` (N,)
    whether it is one of a pair. `pairs` (P,): rows that hold one."""

    batch: Batch
    tokens: Tokens
    rejected: Tensor
    paired: Tensor
    pairs: Tensor

    @classmethod
    def of(cls, batch: Batch) -> Halves:
        rows, length = batch.tokens.shape
        weights = batch.weights.reshape(2 * rows, length // 2)
        used = int(weights.any(0).nonzero().max()) + 1 if weights.any() else 2
        read = Batch(batch.tokens.reshape(2 * rows, length // 2)[:, :used], weights[:, :used], batch.rows, batch.step)
        tokens, holds = Tokens.of(read), (batch.weights == REJECTED).any(1)
        return cls(read, tokens, tokens.weights == REJECTED, holds[tokens.rows // 2], holds.nonzero()[:, 0])


class Preference(Objective):
    """Parts, sums over rows: "preference", the loss of the pairs, and "divergence", the mean over a row's chosen
    tokens; the total is the first and `settings.anchor` times the second."""

    rate_share = 0.2  # a preference is a small change of a model that can already speak, not the healing of one

    def __init__(
        self, student: Any, settings: ObjectiveSettings, teacher: Frozen, vocabulary: int | None = None
    ) -> None:
        super().__init__(student)
        self._loss, self._beta, self._anchor = preference_loss(settings.preference_loss), settings.beta, settings.anchor
        kind = divergence(settings.divergence, settings.skew)
        self._mix = Mix(kind, settings.temperature, settings.cross_entropy)
        self._teacher, self._vocabulary = teacher, vocabulary

    def counted(self, batch: Batch) -> Counted:
        """Rows; of the text the tokens that were chosen."""
        chosen = (batch.weights > 0) & (batch.weights != REJECTED)
        return Counted(batch.weights.any(1).sum(), chosen.sum())

    def forward(self, batch: Batch) -> Losses:
        return self._all(batch, held_out=False)

    def held_out(self, batch: Batch) -> Losses:
        with torch.no_grad():
            return self._all(batch, held_out=True)

    def _all(self, batch: Batch, *, held_out: bool) -> Losses:
        halves = Halves.of(batch)
        with torch.no_grad():
            theirs = halves.tokens.states(hidden_states(self._teacher.module, halves.batch.tokens))
        ours = halves.tokens.states(hidden_states(self.student, halves.batch.tokens))
        preference = self._pairs(halves, ours, theirs)
        parts, total = {"preference": preference.detach()}, preference
        if self._anchor > 0:
            anchor, divergence = self._anchored(halves, ours, theirs)
            total, parts["divergence"] = total + self._anchor * anchor, divergence
        if held_out:
            chosen = ~halves.rejected
            text = token_log_probs(ours[chosen], self._head(self.student), halves.tokens.targets[chosen])
            parts["cross-entropy"] = -text.sum()
        return Losses(total, parts)

    def _pairs(self, halves: Halves, ours: Tensor, theirs: Tensor) -> Tensor:
        """The sum over pairs of their losses."""
        paired, targets = halves.paired, halves.tokens.targets[halves.paired]
        found = token_log_probs(ours[paired], self._head(self.student), targets)
        with torch.no_grad():
            reference = token_log_probs(theirs[paired], self._head(self._teacher.module), targets)
        return self._loss(ratios_of(found - reference, halves), self._beta).sum()

    def _anchored(self, halves: Halves, ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
        """The sum over rows of the mean over their chosen tokens: as mixed, and of the divergence alone."""
        chosen = ~halves.rejected
        rows = halves.tokens.rows[chosen] // 2
        counts = torch.bincount(rows, minlength=len(halves.batch.tokens) // 2)
        sums = chunked_losses(
            ours[chosen],
            self._head(self.student),
            halves.tokens.targets[chosen],
            1.0 / counts[rows].double(),
            Dense(theirs[chosen], self._head(self._teacher.module)),
            self._mix,
        )
        assert sums.divergence is not None
        return sums.total, sums.divergence

    def _head(self, model: Any) -> Tensor:
        return head_weight(model)[: self._vocabulary]


def ratios_of(values: Tensor, halves: Halves) -> Ratios:
    """`values` of the tokens that are `paired`, summed over each answer."""
    answer, count = halves.tokens.rows[halves.paired], len(halves.batch.tokens)
    sums = values.new_zeros(count).index_add(0, answer, values)
    tokens = torch.bincount(answer, minlength=count)
    chosen, rejected = 2 * halves.pairs, 2 * halves.pairs + 1
    return Ratios(sums[chosen], sums[rejected], tokens[chosen], tokens[rejected])


def build(student: Any, parameters: Parameters, device: str) -> Preference:
    """With the teacher loaded."""
    settings = parameters.settings
    if settings.cached or parameters.teacher is None:
        raise PlanError(
            "preferences need the teacher itself: it is the reference of both answers", hint="leave --cached out"
        )
    if settings.on_policy:
        raise PlanError("preferences are of answers that are there already", hint="leave --on-policy out")
    teacher = Frozen(load_frozen(parameters.teacher, device=device))
    return Preference(student, settings, teacher, parameters.vocabulary)
