"""Rounding to levels, and the gradients that go through it, against autograd on the formula itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgeshrink.compress.grid.blocks.iq4 import LEVELS
from edgeshrink.compress.grid.straight_through import Levels, straight_through

UNEVEN, EVEN = tuple(level / 16 for level in LEVELS), tuple(float(level) for level in range(-4, 4))
CPU = torch.device("cpu")


def example(*, offset: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Groups of either sign of scale, some weights beyond the last level, one group of scale 0."""
    torch.manual_seed(3)
    latent = torch.randn(7, 16) * 3
    scale = torch.tensor([[0.5], [-0.7], [1.3], [0.2], [0.0], [2.0], [-0.1]])
    return latent, scale, torch.rand(7, 1) if offset else None


@pytest.mark.parametrize("levels", [EVEN, UNEVEN])
@pytest.mark.parametrize("offset", [False, True])
def test_every_weight_goes_to_the_nearest_value_of_its_group(levels: tuple[float, ...], offset: bool) -> None:
    latent, scale, shift = example(offset=offset)
    found = straight_through(latent, scale, shift, Levels(levels, CPU)).numpy()
    values = scale.numpy() * np.array(levels, np.float32) - (0 if shift is None else shift.numpy())
    distance = np.abs(latent.numpy()[:, :, None] - values[:, None, :])
    assert np.allclose(np.abs(latent.numpy() - found), distance.min(axis=2), atol=1e-5)
    codes = Levels(levels, CPU).codes(torch.tensor([[-99.0, levels[1], levels[2] + 1e-3, 99.0]]))
    assert codes.tolist() == [[0, 1, 2, len(levels) - 1]]


@pytest.mark.parametrize("levels", [EVEN, UNEVEN])
@pytest.mark.parametrize("offset", [False, True])
def test_gradients_are_those_of_learned_step_sizes(levels: tuple[float, ...], offset: bool) -> None:
    """Oracle: autograd in double precision, where rounding is a constant that is added."""
    given = [None if one is None else one.clone().requires_grad_() for one in example(offset=offset)]
    alive = [0, 1, 2, 3, 5, 6]
    weights = torch.randn(7, 16, generator=torch.Generator().manual_seed(1))
    (straight_through(*given, Levels(levels, CPU)) * weights).sum().backward()

    latent, scale, shift = (None if one is None else one.detach().double().requires_grad_() for one in given)
    added = 0 if shift is None else shift[alive]
    units = ((latent[alive] + added) / scale[alive]).clamp(levels[0], levels[-1])
    spaced = torch.tensor(levels, dtype=torch.float64)
    nearest = spaced[(units.detach()[..., None] - spaced).abs().argmin(-1)]
    values = scale[alive] * (units + (nearest - units).detach()) - added
    (values * weights[alive].double()).sum().backward()

    for ours, theirs in zip(given, (latent, scale, shift), strict=True):
        if ours is not None:
            assert torch.allclose(ours.grad[alive].double(), theirs.grad[alive], rtol=1e-4, atol=1e-4)


def test_a_group_of_scale_0_has_one_value() -> None:
    latent, scale, shift = example(offset=True)
    found = straight_through(latent, scale, shift, Levels(EVEN, CPU))
    assert shift is not None
    assert torch.equal(found[4], -shift[4].expand(16))
