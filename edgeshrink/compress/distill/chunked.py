"""The loss over a vocabulary without the logits of a batch: some tokens at a time, value and gradient at once.

The gradient of the logits is known as soon as they are there, so it goes into the gradients of hidden states and head
before the next tokens' logits are made: the forward product is done once, and backward only scales. After Hsu et al.,
"Liger Kernel: Efficient Triton Kernels for LLM Training", 2024 (arXiv:2410.10989), section 3.2, whose fused linear
cross-entropy does so; here for every divergence and mixture, in plain torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from edgeshrink.compress.distill.mixture import Mix, Sparse, Values, dense_values, sparse_values, text_values

LOGITS_AT_ONCE = 1 << 23
"""16 MiB of bfloat16. A row of a vocabulary is made whole even where it is longer."""
_IN_CACHE = 1 << 19


@dataclass(frozen=True, slots=True)
class Dense:
    """A teacher at hand: its hidden states (N, its hidden size) and its head (vocabulary, its hidden size)."""

    hidden: Tensor
    head: Tensor


@dataclass(frozen=True, slots=True)
class Sums:
    """Weighted sums over the tokens. `total` alone has a gradient; a part is None where it was not made."""

    total: Tensor
    divergence: Tensor | None
    cross_entropy: Tensor | None


def chunked_losses(
    hidden: Tensor,
    head: Tensor,
    targets: Tensor,
    weights: Tensor,
    teacher: Dense | Sparse | None,
    mix: Mix,
    *,
    text: bool = False,
    logits_at_once: int = LOGITS_AT_ONCE,
) -> Sums:
    """The loss of N tokens that `mix` describes; cross-entropy alone where there is no `teacher`.

    `hidden` (N, H) is what `head` (V, H) makes the logits of, `targets` int64 (N,) the tokens that follow,
    `weights` (N,) how much each counts. Matrix products are in autocast's type where it is on, all else in float32 at
    least. At most `logits_at_once` logits a side live at a time. `text`: the cross-entropy is made, too, where the mix
    has none of it.
    """
    dtype = _product_type(hidden)
    rows = max(1, logits_at_once // head.shape[0])
    order = _Order(targets, weights.to(_exact(dtype)), teacher, mix, text, rows, dtype, torch.is_grad_enabled())
    with torch.autocast(hidden.device.type, enabled=False):
        total, divergence, cross_entropy = _Chunked.apply(hidden, head, order)
    made = teacher is None or text or mix.temperature == 1 or mix.cross_entropy > 0
    return Sums(total, None if teacher is None else divergence, cross_entropy if made else None)


@dataclass(frozen=True, slots=True)
class _Order:
    targets: Tensor
    weights: Tensor
    teacher: Dense | Sparse | None
    mix: Mix
    text: bool
    rows: int
    dtype: torch.dtype
    gradients: bool

    def teacher_logits(self, first: int, last: int) -> Tensor | None:
        """Of those tokens, where they are to be made."""
        if not isinstance(self.teacher, Dense):
            return None
        return self.teacher.hidden[first:last].to(self.dtype) @ self.teacher.head.to(self.dtype).t()

    def values(self, logits: Tensor, theirs: Tensor | None, first: int, last: int) -> Values:
        """Of tokens whose logits are there."""
        targets = self.targets[first:last]
        if theirs is not None:
            return dense_values(logits, targets, theirs, self.mix, text=self.text)
        if isinstance(self.teacher, Sparse):
            return sparse_values(logits, targets, self.teacher.rows(first, last), self.mix, text=self.text)
        return text_values(logits, targets)


class _Chunked(torch.autograd.Function):
    """Answers the total and the sums of the two parts; where one was not made, its sum is 0."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, order: _Order) -> tuple[Tensor, Tensor, Tensor]:
        states, weight, exact = hidden.to(order.dtype), head.to(order.dtype), _exact(order.dtype)
        of_hidden = torch.empty_like(hidden) if order.gradients and ctx.needs_input_grad[0] else None
        of_head = torch.zeros_like(head, dtype=exact) if order.gradients and ctx.needs_input_grad[1] else None
        sums = torch.zeros(2, dtype=exact, device=hidden.device)
        for first, last in pieces(len(hidden), order.rows):
            some = states[first:last]
            gradient, scale = _gradient(some @ weight.t(), order, first, sums)
            if of_hidden is not None:
                of_hidden[first:last] = (gradient @ weight).to(exact).mul_(scale)
            if of_head is not None:
                of_head += gradient.t() @ (some * scale).to(order.dtype)
        share = 1.0 if order.teacher is None else order.mix.cross_entropy
        total = (1 - share) * sums[0] + share * sums[1]
        ctx.found = (of_hidden, None if of_head is None else of_head.to(head.dtype))
        ctx.mark_non_differentiable(*(parts := (sums[0].clone(), sums[1].clone())))
        return total, *parts

    @staticmethod
    def backward(ctx: Any, scale: Tensor, *_: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        found, ctx.found = ctx.found, None
        if found is None:
            raise RuntimeError("the gradients of a chunked loss are scaled in place: backward runs once")
        hidden, head = (None if one is None else one.mul_(scale.to(one.dtype)) for one in found)
        return hidden, head, None


def _gradient(logits: Tensor, order: _Order, first: int, sums: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of the logits of the tokens from `first` on, in their place, and what its rows are to be multiplied
    with, (n, 1). Adds the parts' values to `sums`.

    On a CPU few rows at a time: what is exponentiated and summed in float32 then stays in its caches.
    """
    theirs = order.teacher_logits(first, first + len(logits))
    scales = order.weights[first : first + len(logits), None].clone()
    rows = max(1, _IN_CACHE // logits.shape[1]) if logits.device.type == "cpu" else len(logits)
    for begin, end in pieces(len(logits), rows):
        exact = sums.dtype
        other = None if theirs is None else theirs[begin:end].to(exact)
        values = order.values(logits[begin:end].to(exact), other, first + begin, first + end)
        for place, part in enumerate((values.divergence, values.cross_entropy)):
            if part is not None:
                sums[place] += torch.dot(order.weights[first + begin : first + end], part)
        logits[begin:end] = values.gradient
        scales[begin:end] *= values.scale
    return logits, scales


def pieces(count: int, rows: int) -> Iterator[tuple[int, int]]:
    """(from, to) of at most `rows` each, over 0 to `count`."""
    for first in range(0, count, rows):
        yield first, min(count, first + rows)


def _product_type(hidden: Tensor) -> torch.dtype:
    kind = hidden.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype


def _exact(dtype: torch.dtype) -> torch.dtype:
    """What is summed and exponentiated in."""
    return torch.promote_types(dtype, torch.float32)
