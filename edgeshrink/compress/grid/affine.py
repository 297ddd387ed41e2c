"""The grid of integer codes with a scale a block, as ONNX Runtime and ExecuTorch keep them: w = scale * (code - zero).

Imports torch: for jobs only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeshrink.compress.grid.straight_through import ColumnRounding, Levels, by_column, in_units, straight_through
from edgeshrink.compress.grid.tensor_grid import TensorGrid


@dataclass(frozen=True, slots=True)
class Affine:
    """What a file says of a matrix beside its codes: `scales` (rows, blocks), `zeros` (rows, blocks) or None: all 0.

    Codes are the whole numbers from `lowest` to `highest`; a block has `block` columns, and the last one of a row may
    be filled up. `stored` is the type that the file keeps scales in.
    """

    scales: NDArray[np.float32] = field(repr=False)
    zeros: NDArray[np.int32] | None = field(repr=False)
    lowest: int
    highest: int
    block: int
    stored: torch.dtype = torch.float32


class AffineGrid(TensorGrid):
    """A matrix (rows, columns) begun at the scales of `start`; they change by shares of themselves, zeros stay."""

    def __init__(self, type: str, start: Affine, device: torch.device) -> None:
        super().__init__()
        self.type = type
        self._block, self._stored = start.block, start.stored
        self._levels = Levels(range(start.lowest, start.highest + 1), device)
        self._lowest = start.lowest
        scales = torch.from_numpy(start.scales.astype(np.float32)).to(device)
        zeros = None if start.zeros is None else torch.from_numpy(start.zeros.astype(np.float32)).to(device)
        self.register_buffer("scales", scales, persistent=False)
        self.register_buffer("zeros", zeros, persistent=False)
        self.change = nn.Parameter(torch.zeros(scales.numel(), device=device))

    def rounded(self, latent: Tensor) -> Tensor:
        scale, offset = self._steps()
        return self._unpadded(straight_through(self._groups(latent), scale, offset, self._levels), latent.shape)

    def column_rounding(self, shape: torch.Size) -> ColumnRounding:
        return by_column(*self._steps(), self._levels, shape[0], self._block)

    def step(self) -> float | None:
        return self._levels.spacing * float(self._steps()[0].detach().abs().mean())

    def affine_codes(self, latent: Tensor) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
        """Codes (rows, blocks, columns of a block), and of every block the scale as it is stored and the zero, both
        (rows, blocks)."""
        with torch.no_grad():
            scale, offset = self._steps()
            units = in_units(self._groups(latent.detach()), scale, offset)
            codes = (self._levels.codes(units) + self._lowest).to(torch.int32)
        shape = tuple(self.scales.shape)
        zeros = torch.zeros_like(self.scales) if self.zeros is None else self.zeros
        return (
            codes.cpu().numpy().reshape(*shape, self._block),
            scale.cpu().numpy().reshape(shape),
            zeros.to(torch.int32).cpu().numpy(),
        )

    def values(self, latent: Tensor) -> NDArray[np.float32]:
        codes, scales, zeros = self.affine_codes(latent)
        spelt = (codes - zeros[..., None]).astype(np.float32) * scales[..., None]
        return np.ascontiguousarray(spelt.reshape(len(codes), -1)[:, : latent.shape[-1]])

    def _steps(self) -> tuple[Tensor, Tensor | None]:
        """Scale and scale * zero of every block, (blocks of all rows, 1)."""
        exact = self.scales.view(-1) * (1 + self.change)
        scale = exact + (exact.detach().to(self._stored).float() - exact.detach())
        return scale[:, None], None if self.zeros is None else (scale * self.zeros.view(-1))[:, None]

    def _groups(self, latent: Tensor) -> Tensor:
        missing = -latent.shape[-1] % self._block
        whole = nn.functional.pad(latent, (0, missing)) if missing else latent
        return whole.reshape(-1, self._block)

    def _unpadded(self, groups: Tensor, shape: torch.Size) -> Tensor:
        rows = groups.view(shape[0], -1)
        return rows if rows.shape[1] == shape[1] else rows[:, : shape[1]].contiguous()
