"""The grid of one parameter: rounded on its way into the layers, trained as if it were not. Imports torch: for jobs.

Bengio, Léonard, Courville, "Estimating or Propagating Gradients Through Stochastic Neurons for Conditional
Computation", 2013 (arXiv:1308.3432): the gradient goes straight through the rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from edgeshrink.compress.grid.straight_through import ColumnRounding


class TensorGrid(nn.Module):
    """Base of all grids; `type` names a storage type of `core.quant_types`.

    As a parametrization of `weight` it is asked for the rounded values each time a layer reads its weight. They are
    made once between two changes: what several layers share (an embedding and its head), and several passes without
    gradients, is rounded once.
    """

    type: str

    def __init__(self) -> None:
        super().__init__()
        self._kept: tuple[tuple[Any, ...], Tensor] | None = None

    def rounded(self, latent: Tensor) -> Tensor:
        """Float32 as `latent`, on the grid, with gradients to `latent` and to whatever of the grid is learnt."""
        raise NotImplementedError

    def pieces(self, latent: Tensor) -> Mapping[str, NDArray[Any]]:
        """The codes as they will lie in the file, by the name of the piece."""
        raise NotImplementedError

    def values(self, latent: Tensor) -> NDArray[np.float32]:
        """Exactly the numbers that `pieces` spell to the runtime, of the shape of `latent`."""
        raise NotImplementedError

    def column_rounding(self, shape: torch.Size) -> ColumnRounding | None:
        """How single columns of a matrix of `shape` are rounded as the grid stands, for codes that are chosen one
        column after the other (`error_feedback`); None: they are not."""
        return None

    def step(self) -> float | None:
        """How far the values of a group stand from each other, on average; None where that is not known."""
        return None

    def forward(self, latent: Tensor) -> Tensor:
        state = (torch.is_grad_enabled(), id(latent), latent._version, *(own._version for own in self.parameters()))
        if self._kept is None or self._kept[0] != state:
            values = self.rounded(latent)
            self._kept = (state, values)
            if values.requires_grad:
                # Its graph is used up by the backward pass that reaches it.
                values.register_hook(self._forget)
        return self._kept[1]

    def _forget(self, _: Tensor) -> None:
        self._kept = None


def attach(student: Any, grids: Mapping[str, TensorGrid]) -> None:
    """The parameters of `student` that `grids` names ("model.layers.0.mlp.down_proj.weight") go through them from now
    on; one that several modules share and only one of them is named for is rounded for all of them."""
    owners = _owners(student)
    for name, grid in grids.items():
        for other in sorted(owners[name]):
            if other == name or other not in grids:
                module, _, weight = other.rpartition(".")
                parametrize.register_parametrization(student.get_submodule(module), weight, grid, unsafe=True)


def latents(student: Any, grids: Mapping[str, TensorGrid]) -> dict[str, Tensor]:
    """What is rounded, by the names of `grids`, after `attach`."""
    found = {}
    for name in grids:
        module, _, weight = name.rpartition(".")
        found[name] = student.get_submodule(module).parametrizations[weight].original
    return found


def detach(student: Any, grids: Mapping[str, TensorGrid], values: Mapping[str, NDArray[np.float32]]) -> None:
    """`attach` undone: what went through a grid becomes its `values`, for good; what was rounded alike stays one."""
    device = next(student.parameters()).device
    weights = {
        grid: nn.Parameter(torch.from_numpy(np.array(values[name])).to(device), requires_grad=False)
        for name, grid in grids.items()
    }
    for module in [module for module in student.modules() if parametrize.is_parametrized(module)]:
        for own, (grid,) in list(module.parametrizations.items()):
            parametrize.remove_parametrizations(module, own, leave_parametrized=False)
            setattr(module, own, weights[grid])


def _owners(student: Any) -> dict[str, set[str]]:
    """For each name of a parameter, all names that it has."""
    names: dict[int, set[str]] = {}
    for name, value in student.named_parameters(remove_duplicate=False):
        names.setdefault(id(value), set()).add(name)
    return {name: shared for shared in names.values() for name in shared}
