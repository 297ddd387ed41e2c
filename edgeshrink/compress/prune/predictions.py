"""How far a model's predictions are from the whole model's: mean KL from hidden states. Imports torch: for jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from edgeshrink.compress.distill.models import head_weight, hidden_states

MOST_LOGITS = 1 << 22
BATCH_TOKENS = 2048
Tell = Callable[[int, int], None]


def batches(rows: Tensor) -> list[Tensor]:
    """`rows` (n, length) int64 in pieces of at most BATCH_TOKENS tokens, a row at least."""
    return list(rows.split(max(1, BATCH_TOKENS // rows.shape[1])))


class Whole:
    """A frozen model on some rows: its last hidden states are kept, tokens * H numbers, its logits never."""

    def __init__(self, model: Any, rows: Tensor) -> None:
        self.rows = batches(rows)
        self.tokens = rows.numel()
        self._head = head_weight(model).detach()
        self._states = [hidden_states(model, batch).flatten(0, 1) for batch in self.rows]

    def mean_kl(self, model: Any, tell: Tell | None = None) -> float:
        """KL(whole || model), both frozen, mean over all tokens, nats; MOST_LOGITS logits of each at once at most."""
        head = head_weight(model)
        total = 0.0
        for number, (batch, whole) in enumerate(zip(self.rows, self._states, strict=True), 1):
            total += summed_kl(whole, self._head, hidden_states(model, batch).flatten(0, 1), head)
            if tell is not None:
                tell(number, len(self.rows))
        return total / self.tokens


def summed_kl(whole: Tensor, whole_head: Tensor, cut: Tensor, cut_head: Tensor) -> float:
    """The sum over tokens of KL(softmax(whole @ whole_head.T) || softmax(cut @ cut_head.T)), nats.

    Hidden states (tokens, H) and (tokens, H'), output matrices (V, H) and (V, H').
    """
    total = 0.0
    step = max(1, MOST_LOGITS // whole_head.shape[0])
    for first in range(0, whole.shape[0], step):
        span = slice(first, first + step)
        expected = (whole[span] @ whole_head.T).float().log_softmax(-1)
        found = (cut[span] @ cut_head.T).float().log_softmax(-1)
        total += float((expected.exp() * (expected - found)).sum(dtype=torch.float64))
    return total
