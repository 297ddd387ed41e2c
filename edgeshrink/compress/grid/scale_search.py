"""Scales at which groups of weights are rounded with the least squared error. Imports torch: for jobs only.

Nagel et al., "A White Paper on Neural Network Quantization", 2021 (arXiv:2106.08295), section 3.1: what is largest is
cut off where that lets the rest be rounded more finely. On the demo a quarter of the divergence goes in 8da4w, whose
scales begin at the largest weight, and a tenth in int4, whose scales come from a search already.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from edgeshrink.compress.grid.affine import Affine

_SHARES: Final = tuple(0.72 + 0.02 * step for step in range(23))
"""Of the scale that a search begins at."""
_AT_ONCE: Final = 1 << 20


def searched(weight: Tensor, start: Affine, *, move_zeros: bool = False) -> Affine:
    """`start` of `weight` (rows, columns) with the best share of each scale; with `move_zeros` also the zero beside its
    own that goes best with it."""
    rows = nn.functional.pad(weight.cpu(), (0, -weight.shape[1] % start.block))
    groups = rows.reshape(-1, start.block)
    scales = torch.from_numpy(start.scales.astype(np.float32)).reshape(-1, 1).clone()
    zeros = torch.zeros_like(scales)
    if start.zeros is not None:
        zeros = torch.from_numpy(start.zeros.astype(np.float32)).reshape(-1, 1)
    step = max(1, _AT_ONCE // start.block)
    for first in range(0, len(groups), step):
        part = slice(first, first + step)
        scales[part], zeros[part] = _best(
            groups[part], scales[part], zeros[part], start, (0, -1, 1)[: 1 + 2 * move_zeros]
        )
    shape = start.scales.shape
    kept = None if start.zeros is None else zeros.to(torch.int32).reshape(shape).numpy()
    return replace(start, scales=scales.reshape(shape).numpy(), zeros=kept)


def _best(
    groups: Tensor, begun: Tensor, zeros: Tensor, start: Affine, shifts: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    best, zero = begun.to(start.stored).float(), zeros
    least = _error(groups, best, zero, start)
    for shift in shifts:
        moved = (zeros + shift).clamp(start.lowest, start.highest)
        for share in _SHARES:
            scale = (begun * share).to(start.stored).float()
            error = _error(groups, scale, moved, start)
            nearer = error < least
            best, zero = torch.where(nearer, scale, best), torch.where(nearer, moved, zero)
            least = torch.where(nearer, error, least)
    return best, zero


def _error(groups: Tensor, scale: Tensor, zero: Tensor, start: Affine) -> Tensor:
    """(groups, 1); what has no scale is 0 everywhere and cannot be nearer."""
    units = torch.where(scale != 0, groups / scale, 0) + zero
    return ((units.round().clamp(start.lowest, start.highest) - zero) * scale - groups).square().sum(1, keepdim=True)
