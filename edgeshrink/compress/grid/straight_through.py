"""Numbers rounded to the levels of their group, with the gradients of learned step sizes. Imports torch: for jobs.

Esser et al., "Learned Step Size Quantization", ICLR 2020 (arXiv:1902.08153), equation 3, with an offset as in Bhalgat
et al., "LSQ+", 2020 (arXiv:2004.09576): for w = scale * q - offset and q the level nearest to u = (w + offset) / scale,

    dw/dlatent = 1 inside the levels, 0 outside
    dw/dscale  = q - u inside, q outside
    dw/doffset = 0 inside, -1 outside
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

_AT_ONCE = 1 << 20
ColumnRounding = Callable[[Tensor, Tensor], Tensor]
"""Values (rows, n) of the columns (n,) of a matrix, to the nearest that each of them can have."""


class Levels:
    """What a code counts for, ascending. Evenly spaced ones are found by rounding."""

    def __init__(self, levels: Sequence[float], device: torch.device) -> None:
        self.first, self.last = levels[0], levels[-1]
        self.spacing = (self.last - self.first) / (len(levels) - 1)
        self._even = all(after - before == 1 for before, after in pairwise(levels))
        self._levels = torch.tensor(levels, dtype=torch.float32, device=device)
        self._middles = (self._levels[1:] + self._levels[:-1]) / 2

    def codes(self, units: Tensor) -> Tensor:
        """The codes nearest to `units`, int64."""
        if self._even:
            return (units.clamp(self.first, self.last).round() - self.first).long()
        return torch.bucketize(units, self._middles)

    def nearest(self, units: Tensor) -> Tensor:
        """The levels nearest to `units`."""
        if self._even:
            return units.clamp(self.first, self.last).round_()
        return self._levels[torch.bucketize(units, self._middles)]


def in_units(latent: Tensor, scale: Tensor, offset: Tensor | None) -> Tensor:
    """(latent + offset) / scale; 0 where the scale is 0, since such a group has one value only."""
    shifted = latent if offset is None else latent + offset
    return torch.where(scale == 0, torch.zeros((), device=latent.device), shifted / scale)


def straight_through(latent: Tensor, scale: Tensor, offset: Tensor | None, levels: Levels) -> Tensor:
    """`latent` (groups, weights of a group) rounded with `scale` and `offset` (groups, 1)."""
    values: Tensor = _Rounded.apply(latent, scale, offset, levels)
    return values


def by_column(scale: Tensor, offset: Tensor | None, levels: Levels, rows: int, group: int) -> ColumnRounding:
    """Rounds single columns of a matrix of `rows` whose groups of `group` columns have `scale` and `offset`, both
    (groups of all rows, 1) with those of a row together."""
    scales = scale.detach().view(rows, -1)
    offsets = None if offset is None else offset.detach().view(rows, -1)

    def rounding(values: Tensor, columns: Tensor) -> Tensor:
        groups = columns // group
        step, shift = scales[:, groups], None if offsets is None else offsets[:, groups]
        nearest = levels.nearest(in_units(values, step, shift)) * step
        return nearest if shift is None else nearest - shift

    return rounding


class _Rounded(torch.autograd.Function):
    """Keeps nothing of the size of `latent` for the way back: the rounding is done again there, some groups at a
    time."""

    @staticmethod
    def forward(ctx: Any, latent: Tensor, scale: Tensor, offset: Tensor | None, levels: Levels) -> Tensor:
        ctx.save_for_backward(latent, scale, offset)
        ctx.levels = levels
        values = torch.empty_like(latent)
        for part in _parts(latent):
            shift = None if offset is None else offset[part]
            nearest = levels.nearest(in_units(latent[part], scale[part], shift)).mul_(scale[part])
            values[part] = nearest if shift is None else nearest.sub_(shift)
        return values

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        latent, scale, offset = ctx.saved_tensors
        levels: Levels = ctx.levels
        of_latent, of_scale, of_offset = ctx.needs_input_grad[:3]
        for_latent = torch.empty_like(gradient) if of_latent else None
        for_scale = torch.empty_like(scale) if of_scale else None
        for_offset = torch.empty_like(offset) if of_offset else None
        for part in _parts(latent):
            units = in_units(latent[part], scale[part], None if offset is None else offset[part])
            inside = (units >= levels.first) & (units <= levels.last)
            some = gradient[part]
            if for_latent is not None:
                for_latent[part] = some * inside
            if for_scale is not None:
                residue = levels.nearest(units).sub_(units.mul_(inside))
                for_scale[part] = (some * residue).sum(1, keepdim=True)
            if for_offset is not None:
                for_offset[part] = -(some * ~inside).sum(1, keepdim=True)
        return for_latent, for_scale, for_offset, None


def _parts(latent: Tensor) -> list[slice]:
    step = max(1, _AT_ONCE // latent.shape[1])
    return [slice(first, first + step) for first in range(0, len(latent), step)]
