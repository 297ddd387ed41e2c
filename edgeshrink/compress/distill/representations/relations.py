"""How positions relate to each other inside a layer: attention relations of queries, keys and values.

Wang et al. 2020, "MiniLMv2: Multi-Head Self-Attention Relation Distillation" (arXiv:2012.15828). The vectors of all
heads of one position are joined and split again into as many relation heads as both models can have; a relation is the
softmax over positions of their scaled inner products, and the loss is the KL divergence from the teacher's to the
student's. Neither widths nor numbers of heads need to agree, and nothing is projected. Positions see those before them
and themselves, as in a decoder.

The relations are never all in memory: they are made block by block together with their gradient, as the loss over the
vocabulary is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

_AT_ONCE = {"cpu": 1 << 18}
_AT_ONCE_ELSEWHERE = 1 << 24
"""Entries of one block of relations, a handful of which live at once: what a core's cache holds (1 MiB), or 64 MiB."""
_SLICES = 4
_NEVER = -1e30  # no relation to what comes later; finite, so that 0 times it is 0
_TEACHER_WIDTH = 16  # the paper's best: 48 relation heads of 768, 64 of 1024
_MOST_HEADS = 64


def relation_heads(student_width: int, teacher_width: int) -> int:
    """The most relation heads that divide both widths, at most 64 and not narrower than 16 on the teacher's side."""
    common = math.gcd(student_width, teacher_width)
    most = min(_MOST_HEADS, max(1, teacher_width // _TEACHER_WIDTH))
    return max(heads for heads in range(1, most + 1) if common % heads == 0)


def relation_divergence(
    student: Tensor, teacher: Tensor, weights: Tensor, heads: int, *, at_once: int | None = None
) -> Tensor:
    """Sum over positions of weight * mean over relation heads of KL(teacher || student), nats.

    `student` (rows, length, width), `teacher` (rows, length, its width), `weights` (rows, length); both widths are
    multiples of `heads`. `at_once` bounds the entries of a block, of which there is at least a row.
    """
    most = at_once or _AT_ONCE.get(student.device.type, _AT_ONCE_ELSEWHERE)
    return _Divergence.apply(student, teacher, weights, heads, most)


class _Divergence(torch.autograd.Function):
    """The gradient is made with the value, so backward recomputes nothing and no relation is stored."""

    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor, weights: Tensor, heads: int, at_once: int) -> Tensor:
        learns = ctx.needs_input_grad[0]
        with torch.autocast(student.device.type, enabled=False):
            own, other = _split(student, heads), _split(teacher, heads)
            gradient = torch.zeros_like(own) if learns else None
            worth = weights.to(own.dtype).repeat_interleave(heads, 0) / heads
            total = own.new_zeros((), dtype=torch.float64)
            for pair, row in _blocks(own.shape[0], own.shape[1], at_once):
                total += _block(own[pair], other[pair], worth[pair], row, None if gradient is None else gradient[pair])
        ctx.shape, ctx.dtype, ctx.heads = student.shape, student.dtype, heads
        ctx.save_for_backward(*(() if gradient is None else (gradient,)))
        return total.to(own.dtype)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, None, None, None, None]:
        if not ctx.saved_tensors:
            return None, None, None, None, None
        (gradient,) = ctx.saved_tensors
        rows, length, width = ctx.shape
        joined = gradient.view(rows, ctx.heads, length, width // ctx.heads).transpose(1, 2).reshape(ctx.shape)
        return (joined * upstream).to(ctx.dtype), None, None, None, None


def _block(own: Tensor, other: Tensor, weights: Tensor, row: slice, gradient: Tensor | None) -> Tensor:
    """The sum over the positions `row` of some heads (heads, length, width); their gradient is added to `gradient`."""
    scale = own.shape[-1] ** -0.5
    later = torch.ones(row.stop - row.start, row.stop - row.start, dtype=torch.bool, device=own.device).triu_(1)
    queries, keys = own[:, row], own[:, : row.stop]
    student = _log_relation(queries * scale, keys, later)
    teacher = _log_relation(other[:, row] * other.shape[-1] ** -0.5, other[:, : row.stop], later)
    probable = teacher.exp()
    total = (teacher.sub_(student).mul_(probable).sum(-1) * weights[:, row]).sum(dtype=torch.float64)
    if gradient is not None:
        slope = student.exp_().sub_(probable).mul_(weights[:, row, None] * scale)
        gradient[:, row] += slope @ keys
        gradient[:, : row.stop] += slope.transpose(1, 2) @ queries
    return total


def _log_relation(queries: Tensor, keys: Tensor, later: Tensor) -> Tensor:
    """(heads, queries, keys); the last queries and keys are the same positions, and `later` are pairs of those."""
    products = queries @ keys.transpose(1, 2)
    products[..., -later.shape[1] :].masked_fill_(later, _NEVER)
    return products.log_softmax(-1)


def _split(vectors: Tensor, heads: int) -> Tensor:
    """(rows, length, width) as (rows * heads, length, width of a relation head), in float32 at least."""
    rows, length, width = vectors.shape
    precise = vectors.detach().to(torch.promote_types(vectors.dtype, torch.float32))
    return precise.view(rows, length, heads, width // heads).transpose(1, 2).reshape(rows * heads, length, -1)


def _blocks(pairs: int, length: int, at_once: int) -> Iterator[tuple[slice, slice]]:
    """Slices of heads and of positions whose relations are at most `at_once` entries, or a row. A slice of positions is
    at most a quarter of them: what follows it is not computed."""
    rows = min(-(-length // _SLICES), max(1, at_once // length))
    heads = max(1, at_once // (rows * length))
    for pair in range(0, pairs, heads):
        for row in range(0, length, rows):
            yield slice(pair, min(pair + heads, pairs)), slice(row, min(row + rows, length))
