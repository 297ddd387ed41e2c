"""Blocks taken apart and put together, against gguf-py's own reading of them."""

from __future__ import annotations

from dataclasses import replace

import gguf
import numpy as np
import pytest

from edgeshrink.compress.grid.blocks import BLOCK_GRIDS
from edgeshrink.compress.grid.blocks.interface import BlockGrid, Factors
from edgeshrink.core.quant_types import QUANT_TYPES, quant_type

TYPES = sorted(BLOCK_GRIDS)


def random_blocks(type: str) -> np.ndarray:
    """Any bits but halves that are not finite."""
    random = np.random.default_rng(5)
    blocks = random.integers(0, 256, (64, quant_type(type).block_bytes), dtype=np.uint8)
    grid = BLOCK_GRIDS[type]
    codes, factors = grid.unpack(blocks)
    d = random.uniform(-2, 2, len(blocks)).astype(np.float16)
    return grid.pack(codes, replace(factors, d=d, dmin=None if factors.dmin is None else d[::-1]))


def spelled(grid: BlockGrid, codes: np.ndarray, factors: Factors) -> np.ndarray:
    """The formula of `blocks.interface`, in double precision."""
    levels = np.array(grid.levels)[codes].reshape(len(codes), -1, grid.group)
    whole = np.ones((1, 1)) if factors.scales is None else factors.scales
    values = (factors.d.astype(np.float64)[:, None] * whole)[..., None] * levels
    if factors.dmin is not None and factors.mins is not None:
        values = values - (factors.dmin.astype(np.float64)[:, None] * factors.mins)[..., None]
    return values.reshape(len(codes), -1)


def test_every_type_that_quantizes_is_known() -> None:
    assert set(TYPES) == {name for name, type in QUANT_TYPES.items() if type.is_quantized}


@pytest.mark.parametrize("type", TYPES)
def test_any_block_comes_back_bit_for_bit(type: str) -> None:
    grid = BLOCK_GRIDS[type]
    for blocks in (
        random_blocks(type),
        np.random.default_rng(1).integers(0, 256, (64, quant_type(type).block_bytes), dtype=np.uint8),
    ):
        assert np.array_equal(grid.pack(*grid.unpack(blocks)), blocks)


@pytest.mark.parametrize("type", TYPES)
def test_codes_and_factors_spell_what_gguf_py_reads(type: str) -> None:
    grid, blocks = BLOCK_GRIDS[type], random_blocks(type)
    expected = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[type])
    codes, factors = grid.unpack(blocks)
    assert codes.shape == (64, grid.elements)
    assert codes.max() < len(grid.levels)
    assert np.allclose(spelled(grid, codes, factors), expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())
