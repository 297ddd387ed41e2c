"""GGUF's grid: a matrix in blocks of a type, with the scales that libggml gave it. Imports torch: for jobs.

The whole numbers inside a block (sub-scales, sub-mins) stay as libggml's search found them with the importance matrix;
its halves, d and dmin, are learnt with the weights and rounded to float16 in the forward pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeshrink.catalog.grid import BLOCKS
from edgeshrink.compress.grid.blocks import BLOCK_GRIDS
from edgeshrink.compress.grid.blocks.interface import Factors
from edgeshrink.compress.grid.rounded import Rounding
from edgeshrink.compress.grid.straight_through import ColumnRounding, Levels, by_column, in_units, straight_through
from edgeshrink.compress.grid.tensor_grid import TensorGrid
from edgeshrink.core.quant_types import quant_type
from edgeshrink.errors import StepFailed
from edgeshrink.ggml.quantize import dequantize, quantize_rows


class BlockTensorGrid(TensorGrid):
    """A matrix (rows, columns) in blocks of `type`, begun where `blocks` (rows, bytes of a row) are.

    `d` and `dmin` change by shares of themselves: one rate then serves all of them.
    """

    def __init__(self, type: str, blocks: NDArray[np.uint8], device: torch.device) -> None:
        super().__init__()
        self.type = type
        self._grid = BLOCK_GRIDS[type]
        _, self._start = self._grid.unpack(blocks.reshape(-1, quant_type(type).block_bytes))
        self._levels = Levels(self._grid.levels, device)
        self.d_change = nn.Parameter(torch.zeros(len(self._start.d), device=device))
        self.dmin_change = None
        if self._start.dmin is not None:
            self.dmin_change = nn.Parameter(torch.zeros(len(self._start.dmin), device=device))
        for name in ("d", "dmin", "scales", "mins"):
            held = getattr(self._start, name)
            there = None if held is None else torch.from_numpy(held.astype(np.float32)).to(device)
            self.register_buffer(name, there, persistent=False)

    def rounded(self, latent: Tensor) -> Tensor:
        groups = latent.reshape(-1, self._grid.group)
        return straight_through(groups, *self._steps(), self._levels).view(latent.shape)

    def pieces(self, latent: Tensor) -> Mapping[str, NDArray[Any]]:
        with torch.no_grad():
            scale, offset = self._steps()
            units = in_units(latent.detach().reshape(-1, self._grid.group), scale, offset)
            codes = self._levels.codes(units).to(torch.uint8).cpu().numpy()
            d = _halves(self.d, self.d_change)
            dmin = None if self.dmin is None else _halves(self.dmin, self.dmin_change)
        factors = Factors(d, dmin, self._start.scales, self._start.mins)
        blocks = self._grid.pack(codes.reshape(-1, self._grid.elements), factors)
        return {BLOCKS: blocks.reshape(latent.shape[0], -1)}

    def values(self, latent: Tensor) -> NDArray[np.float32]:
        return dequantize(np.asarray(self.pieces(latent)[BLOCKS]), self.type, latent.shape[-1])

    def column_rounding(self, shape: torch.Size) -> ColumnRounding | None:
        return by_column(*self._steps(), self._levels, shape[0], self._grid.group)

    def step(self) -> float | None:
        return self._levels.spacing * float(self._steps()[0].detach().abs().mean())

    def _steps(self) -> tuple[Tensor, Tensor | None]:
        """Scale and offset of every group, (groups, 1)."""
        scale = _of_groups(self.d, self.d_change, self.scales)
        return scale, None if self.dmin is None else _of_groups(self.dmin, self.dmin_change, self.mins)


def build(student: Any, parameters: Mapping[str, Any]) -> dict[str, TensorGrid]:
    """A grid for each tensor of `parameters["tensors"]`, begun at libggml's own quantization of the weights."""
    path = parameters["importance"]
    rounding = Rounding(
        parameters["scheme"],
        parameters["tensors"],
        None if path is None else Path(path),
        parameters["gguf_names"],
    )
    weights = dict(student.named_parameters(remove_duplicate=False))
    return {name: _grid(name, weights[name], rounding) for name in parameters["tensors"]}


def _grid(name: str, weight: Tensor, rounding: Rounding) -> TensorGrid:
    type, rows = rounding.types[name], weight.detach().cpu().numpy()
    try:
        blocks = quantize_rows(rows, type, rounding.weights(name, rows.shape[-1]), torch.get_num_threads())
    except StepFailed as error:
        raise StepFailed(f"{name}: {error.message}", hint=error.hint) from error
    return BlockTensorGrid(type, blocks, weight.device)


def _of_groups(base: Tensor, change: Tensor | None, whole: Tensor | None) -> Tensor:
    """`base` (n,), changed and rounded to float16, times the whole numbers (n, groups); (n * groups, 1)."""
    exact = base if change is None else base * (1 + change)
    rounded = exact + (exact.detach().half().float() - exact.detach())
    steps = rounded[:, None]
    return (steps if whole is None else steps * whole).reshape(-1, 1)


def _halves(base: Tensor, change: Tensor | None) -> NDArray[np.float16]:
    values = base if change is None else base * (1 + change)
    found: NDArray[np.float16] = values.detach().cpu().half().numpy()
    return found
