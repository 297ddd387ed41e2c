"""How probable given tokens are, with gradients, without the logits of a batch. Imports torch: for jobs only.

Logits live some tokens at a time and are made again on the way back: of each token only its probability and the sum
that normalizes it are kept. The products are exact (float32 at least, whatever autocast says): what is learnt from is a
difference of sums over whole answers, and the rounding of bfloat16 logits adds up in them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgeshrink.compress.distill.chunked import LOGITS_AT_ONCE, pieces


def token_log_probs(hidden: Tensor, head: Tensor, targets: Tensor, *, logits_at_once: int = LOGITS_AT_ONCE) -> Tensor:
    """(N,) natural logarithms of the probabilities of `targets` int64 (N,), of which `hidden` (N, H) is what `head`
    (V, H) makes the logits of. At most `logits_at_once` logits live at a time."""
    exact = torch.promote_types(hidden.dtype, torch.float32)
    rows = max(1, logits_at_once // head.shape[0])
    with torch.autocast(hidden.device.type, enabled=False):
        found: Tensor = _LogProbs.apply(hidden.to(exact), head.to(exact), targets, rows)
    return found


class _LogProbs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, rows: int) -> Tensor:
        found, sums = hidden.new_empty(len(hidden)), hidden.new_empty(len(hidden))
        for first, last in pieces(len(hidden), rows):
            logits = hidden[first:last] @ head.t()
            sums[first:last] = logits.logsumexp(-1)
            found[first:last] = logits.gather(1, targets[first:last, None])[:, 0] - sums[first:last]
        ctx.save_for_backward(hidden, head, targets, sums)
        ctx.rows = rows
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        hidden, head, targets, sums = ctx.saved_tensors
        of_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        of_head = torch.zeros_like(head) if ctx.needs_input_grad[1] else None
        for first, last in pieces(len(hidden), ctx.rows):
            some, scale = hidden[first:last], gradient[first:last, None]
            logits = (some @ head.t()).sub_(sums[first:last, None]).exp_().mul_(-scale)
            logits.scatter_add_(1, targets[first:last, None], scale)
            if of_hidden is not None:
                of_hidden[first:last] = logits @ head
            if of_head is not None:
                of_head.addmm_(logits.t(), some)
        return of_hidden, of_head, None, None
