"""Texts that the student writes itself, for its teacher to judge. Imports torch: for jobs only.

Agarwal et al. 2023, "On-Policy Distillation of Language Models: Learning from Self-Generated Mistakes" (GKD,
arXiv:2306.13649): in a share of the steps the student continues the first part of each row by sampling at temperature
1, and the divergence is taken on what it wrote. No gradient passes through the sampling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgeshrink.compress.distill.objectives.parameters import Parameters
from edgeshrink.compress.distill.sampling import continue_texts
from edgeshrink.compress.training.objective import Batch

_STEPS, _ROWS = 0, 1  # streams of random numbers that never meet
WRITTEN = -1
"""The number of a row that is not in the corpus."""


def writer(student: Any, parameters: Parameters, device: Any) -> Callable[[Batch], Batch]:
    """What gives a step its texts: those of the corpus, or in a share of the steps ones that `student` writes."""
    stops = getattr(student.generation_config, "eos_token_id", None)
    if stops is None:
        stops = student.config.eos_token_id
    ids = stops if isinstance(stops, list) else [stops]
    return OnPolicy(
        student=student,
        share=parameters.settings.on_policy,
        seed=parameters.seed,
        stops=frozenset(number for number in ids if number is not None),
        vocabulary=parameters.vocabulary,
    )


@dataclass(frozen=True, slots=True)
class OnPolicy:
    """`share` of the steps are written by the student; which ones, and what a row becomes, follows from `seed`, the
    step and the row's number alone, however rows are shared out. Ids from `vocabulary` on are never written."""

    student: Any
    share: float
    seed: int
    stops: frozenset[int]
    vocabulary: int | None = None

    def __call__(self, batch: Batch) -> Batch:
        """`batch`, or its rows with all that follows their first part written anew, as rows `WRITTEN`.

        Every token of a new text counts alike and what follows its end does not count: a row weighs what it did where
        its text fills it, and less where it ends early.
        """
        if not self.writes(batch.step):
            return batch
        weights = batch.weights.cpu().numpy()
        starts = [first_part(row) for row in weights]
        given = batch.tokens.cpu().numpy()
        texts = self._texts([row[:start].tolist() for row, start in zip(given, starts, strict=True)], batch)
        tokens, counts = given.copy(), np.zeros_like(weights)
        for row, (text, start) in enumerate(zip(texts, starts, strict=True)):
            tokens[row, : len(text)] = text
            tokens[row, len(text) :] = text[-1]  # nothing before it sees it
            counts[row, start : len(text)] = weights[row].sum() / (weights.shape[1] - start)
        return replace(
            batch,
            tokens=torch.from_numpy(tokens).to(batch.tokens),
            weights=torch.from_numpy(counts).to(batch.weights),
            rows=torch.full_like(batch.rows, WRITTEN),
        )

    def writes(self, step: int) -> bool:
        """Whether step `step` is one of those that the student writes."""
        return float(np.random.default_rng((_STEPS, self.seed, step)).random()) < self.share

    def _texts(self, beginnings: list[list[int]], batch: Batch) -> list[list[int]]:
        length = batch.tokens.shape[1]
        draws = np.stack(
            [
                np.random.default_rng((_ROWS, self.seed, batch.step, int(row))).random(length)
                for row in batch.rows.tolist()
            ]
        )
        trained = self.student.training
        self.student.eval()
        try:
            return continue_texts(self.student, beginnings, draws, stops=self.stops, vocabulary=self.vocabulary)
        finally:
            self.student.train(trained)
            torch.clear_autocast_cache()  # weights that were cast without a gradient must not serve the forward pass


def first_part(weights: NDArray[np.float32]) -> int:
    """Where a row's own text ends and the student begins: in the middle, or where nobody learns the word there, where
    the next part to learn begins (an answer); the last part before, where none follows. At least 1."""
    middle = len(weights) // 2
    learnt = np.flatnonzero(weights > 0)
    following = learnt[learnt >= middle]
    if len(following):
        return max(1, int(following[0]))
    begins = learnt[np.flatnonzero(np.diff(learnt, prepend=-2) > 1)] if len(learnt) else learnt
    return max(1, int(begins[-1])) if len(begins) else max(1, middle)
