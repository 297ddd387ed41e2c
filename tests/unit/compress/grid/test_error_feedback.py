"""Codes that are chosen column by column answer a layer's inputs better than the nearest ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgeshrink.compress.grid.error_feedback import compensated
from edgeshrink.compress.grid.gguf import BlockTensorGrid
from edgeshrink.ggml.quantize import quantize_rows


def example(type: str) -> tuple[torch.Tensor, torch.Tensor, BlockTensorGrid]:
    """A matrix, rows of inputs whose columns go together, and the matrix's grid."""
    random = np.random.default_rng(4)
    weight = random.standard_normal((6, 256), np.float32)
    inputs = random.standard_normal((900, 24)) @ random.standard_normal((24, 256)) + random.standard_normal((900, 256))
    blocks = quantize_rows(weight, type, None, 1)
    grid = BlockTensorGrid(type, blocks, torch.device("cpu"))
    return torch.from_numpy(weight), torch.from_numpy(inputs.astype(np.float32)), grid


def plain_gptq(weight: np.ndarray, gram: np.ndarray, rounding: object) -> np.ndarray:
    """Algorithm 1 of the paper with blocks of one column, in double precision: after each column the inverse of what is
    left of H, by elimination. Answers the rounded matrix."""
    strength = np.diag(gram)
    order = np.argsort(-strength, kind="stable")
    exact = gram / strength.mean() + 0.01 * np.eye(len(gram))
    inverse = np.linalg.inv(exact[np.ix_(order, order)])
    left, found = weight[:, order].astype(np.float64), np.zeros(weight.shape)
    for place, column in enumerate(order):
        values = torch.from_numpy(left[:, [place]].astype(np.float32))
        rounded = rounding(values, torch.tensor([column])).numpy()[:, 0]  # type: ignore[operator]
        found[:, column] = rounded
        error = (left[:, place] - rounded) / inverse[place, place]
        left -= np.outer(error, inverse[place])
        inverse = inverse - np.outer(inverse[:, place], inverse[place]) / inverse[place, place]
    return found


@pytest.mark.parametrize("type", ["Q2_K", "Q3_K", "IQ4_XS", "Q4_0"])
def test_it_is_gptq(type: str) -> None:
    weight, inputs, grid = example(type)
    gram = inputs.t() @ inputs
    rounding = grid.column_rounding(weight.shape)
    assert rounding is not None
    latent = compensated(weight, gram, rounding)
    ours = grid.values(latent)
    expected = plain_gptq(weight.numpy(), gram.double().numpy(), rounding)
    # A column that lies halfway between two codes may go either way, and takes the rest of its row along.
    assert np.mean(np.isclose(ours, expected, atol=1e-5)) > 0.9

    def error(values: np.ndarray) -> float:
        return float(np.square((values - weight.numpy()) @ inputs.numpy().T).mean())

    nearest = error(grid.values(weight))
    assert error(ours) < 0.7 * nearest
    assert error(ours) == pytest.approx(error(expected), rel=0.1)
