"""From a teacher's logits to what its cache keeps: the likeliest tokens, and draws from the others. Imports torch.

Draws are stratified: the i-th of M falls into the i-th M-th of the tail's cumulative distribution. Each token is
expected as often as in M independent draws, and the variance of any sum over them is at most theirs (Cochran, "Sampling
Techniques", 1977, chapter 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Kept:
    """Of n tokens: ids int64 and log-probabilities of the top (n, top) and of the draws (n, draws); and the log of what
    the top leaves (n,), -inf where that is nothing."""

    top_ids: Tensor
    top_logs: Tensor
    tail_log: Tensor
    draw_ids: Tensor
    draw_logs: Tensor


def keep(logits: Tensor, top: int, uniforms: Tensor) -> Kept:
    """`logits` float32 (n, vocabulary); `uniforms` (n, draws) in [0, 1) decide the draws."""
    logs = torch.log_softmax(logits, -1)
    best = logs.topk(min(top, logs.shape[-1]), dim=-1)
    # torch adds up in float64 on the CPU and rounds each sum: what a token gets is right within 1e-7
    sums = logs.exp().scatter_(1, best.indices, 0.0).cumsum(-1)
    total = sums[:, -1:].contiguous()
    draws = uniforms.shape[1]
    strata = torch.arange(draws, dtype=total.dtype, device=total.device)
    aims = torch.minimum((strata + uniforms) / max(1, draws) * total, torch.nextafter(total, torch.zeros_like(total)))
    # The first sum above the aim: never a token without probability. Where nothing is left at all, the likeliest.
    found = torch.searchsorted(sums, aims, right=True).clamp_(max=logs.shape[-1] - 1)
    if top:
        found = torch.where(total > 0, found, best.indices[:, :1])
    return Kept(best.indices, best.values, total[:, 0].log(), found, logs.gather(1, found))
