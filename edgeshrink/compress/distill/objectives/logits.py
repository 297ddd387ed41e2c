"""The student's next-token distribution against the teacher's: online, or from a cache of the teacher.

Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015 (arXiv:1503.02531); the divergences have
their papers. Both models have one vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from edgeshrink.compress.distill.chunked import Dense, chunked_losses
from edgeshrink.compress.distill.divergences import divergence
from edgeshrink.compress.distill.divergences.refusal import needs_all
from edgeshrink.compress.distill.mixture import Mix, Sparse
from edgeshrink.compress.distill.models import head_weight, hidden_states, load_frozen
from edgeshrink.compress.distill.objectives.parameters import Parameters
from edgeshrink.compress.distill.objectives.tokens import Tokens
from edgeshrink.compress.distill.teacher_cache.cache import TeacherCache
from edgeshrink.compress.training.objective import Batch, Frozen, Losses, Objective
from edgeshrink.core.training import ObjectiveSettings
from edgeshrink.errors import DataError, PlanError


class Logits(Objective):
    """Parts: "divergence", times the squared temperature, and "cross-entropy" where it is mixed in or the temperature
    is 1. `writer`, where one is set, makes the text of a step (on-policy); held-out rows stay as they are.

    Of `teacher` and `cache` exactly one is given. `vocabulary`: both models' first so many tokens are the same ones and
    the rest is padding; None: all of them.
    """

    writer: Callable[[Batch], Batch] | None = None

    def __init__(
        self,
        student: Any,
        settings: ObjectiveSettings,
        teacher: Frozen | None,
        cache: TeacherCache | None,
        vocabulary: int | None = None,
    ) -> None:
        super().__init__(student)
        self._mix = Mix(divergence(settings.divergence, settings.skew), settings.temperature, settings.cross_entropy)
        self._teacher, self._cache, self._vocabulary = teacher, cache, vocabulary
        if teacher is not None:
            theirs = len(head_weight(teacher.module))
        elif cache is not None:
            theirs = cache.facts.vocab_size
        else:
            raise PlanError("distilling logits needs a teacher, or a cache of one")
        ours = len(head_weight(student))
        if vocabulary is None and theirs != ours:
            raise DataError(
                f"the teacher has {theirs} tokens and the student {ours}: logits of different tokens do not compare",
                hint="distil sequences: --objective sequence",
            )

    def forward(self, batch: Batch) -> Losses:
        return self.losses(batch, hidden_states(self.student, batch.tokens), self._taught(batch))

    def held_out(self, batch: Batch) -> Losses:
        with torch.no_grad():
            hidden = hidden_states(self.student, batch.tokens)
            return self.losses(batch, hidden, self._taught(batch), held_out=True)

    def texts(self, batch: Batch) -> Batch:
        return batch if self.writer is None else self.writer(batch)

    def losses(
        self, batch: Batch, student_hidden: Tensor, teacher_hidden: Tensor | None, *, held_out: bool = False
    ) -> Losses:
        """Of hidden states (rows, length, H) that are there already; the teacher's are None where a cache stands for
        it."""
        tokens = Tokens.of(batch)
        sums = chunked_losses(
            tokens.states(student_hidden),
            head_weight(self.student)[: self._vocabulary],
            tokens.targets,
            tokens.weights,
            self._known(batch, tokens, teacher_hidden, held_out),
            # Of what the student wrote itself, the text is nothing to learn: its rows are not in the corpus.
            replace(self._mix, cross_entropy=0.0) if (batch.rows < 0).any() else self._mix,
            text=held_out,
        )
        parts = {"divergence": sums.divergence, "cross-entropy": sums.cross_entropy}
        return Losses(sums.total, {name: part for name, part in parts.items() if part is not None})

    def _taught(self, batch: Batch) -> Tensor | None:
        with torch.no_grad():
            return None if self._teacher is None else hidden_states(self._teacher.module, batch.tokens)

    def _known(self, batch: Batch, tokens: Tokens, hidden: Tensor | None, held_out: bool) -> Dense | Sparse:
        if hidden is not None and self._teacher is not None:
            return Dense(tokens.states(hidden), head_weight(self._teacher.module)[: self._vocabulary])
        if self._cache is None:
            raise ValueError("no hidden states of the teacher, and no cache")
        entries = self._cache.read(
            batch.rows.cpu().numpy(),
            batch.tokens.cpu().numpy(),
            (tokens.rows.cpu().numpy(), tokens.positions.cpu().numpy()),
            part="held_out" if held_out else "train",
            temperature=self._mix.temperature,
            vocabulary=self._vocabulary,
        )
        device = batch.tokens.device
        ids, log_probs, mass = (torch.from_numpy(values).to(device) for values in entries)
        return Sparse(ids, log_probs, mass)


def build(student: Any, parameters: Parameters, device: str, *, kind: type[Logits] = Logits) -> Logits:
    """One of `kind`, with the teacher loaded, or its cache opened."""
    settings = parameters.settings
    if settings.cached:
        if settings.on_policy:
            raise PlanError(
                "a cache knows nothing of what the student writes", hint="distil on-policy without the cache"
            )
        if settings.divergence not in ("forward", "skew-forward"):
            raise needs_all(settings.divergence)
        if parameters.cache is None:
            raise PlanError("distilling from a cache needs the cache")
        return kind(student, settings, None, TeacherCache.open(parameters.cache), parameters.vocabulary)
    if parameters.teacher is None:
        raise PlanError("distilling logits needs a teacher, or a cache of one")
    teacher = Frozen(load_frozen(parameters.teacher, device=device))
    return kind(student, settings, teacher, None, parameters.vocabulary)
