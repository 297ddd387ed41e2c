"""Blocks are sound: gguf's numpy code reads back what libggml wrote, and threads and slices change nothing."""

from __future__ import annotations

import gguf
import numpy as np
import pytest

from edgeshrink.core.quant_types import QUANT_TYPES
from edgeshrink.errors import StepFailed
from edgeshrink.ggml.quantize import dequantize, quantize_rows

ROWS = (np.random.default_rng(3).standard_normal((70, 512), np.float32) * 0.1).astype(np.float32)
IMPORTANCE = np.random.default_rng(4).random(512, np.float32) + 0.01


@pytest.mark.parametrize("name", QUANT_TYPES)
def test_dequantizing_agrees_with_gguf_py_and_stays_near_the_values(name: str) -> None:
    blocks = quantize_rows(ROWS, name, None, 1)
    ours = dequantize(blocks, name, 512)
    theirs = gguf.dequantize(blocks, gguf.GGMLQuantizationType[name])
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
    error = float(np.sqrt(np.mean((ours - ROWS) ** 2)) / ROWS.std())
    assert error < max(3 * 2 ** -QUANT_TYPES[name].bits_per_weight, 0.002)


@pytest.mark.parametrize("name", QUANT_TYPES)
@pytest.mark.parametrize("importance", [None, IMPORTANCE], ids=["plain", "importance"])
def test_threads_do_not_change_a_byte(name: str, importance: np.ndarray | None) -> None:
    wide = np.tile(ROWS, (20, 1))
    assert np.array_equal(quantize_rows(wide, name, importance, 1), quantize_rows(wide, name, importance, 3))


def test_importance_lowers_the_error_where_it_says_so() -> None:
    weights = np.where(np.arange(512) % 8 == 0, np.float32(100), np.float32(0.1))
    important = weights > 1

    def error(importance: np.ndarray | None) -> float:
        back = dequantize(quantize_rows(ROWS, "Q3_K", importance, 1), "Q3_K", 512)
        return float(np.mean((back - ROWS)[:, important] ** 2))

    assert error(weights) < 0.8 * error(None)


def test_bf16_is_rounded_to_nearest_even_and_f16_as_numpy_does() -> None:
    ties = [1.0, 1.0 + 2**-8, 1.0 + 3 * 2**-8, -1.0 - 2**-8 - 2**-16]
    exact = np.array([[*ties, 65504.0, 1e-7, -0.0, 6e-5]], np.float32)
    bf16 = quantize_rows(exact, "BF16", None, 1).view(np.uint16)
    assert bf16.tolist()[0][:4] == [0x3F80, 0x3F80, 0x3F82, 0xBF81]
    f16 = quantize_rows(ROWS, "F16", None, 1).view(np.float16)
    assert np.array_equal(f16, ROWS.astype(np.float16))
    assert np.array_equal(quantize_rows(exact, "F16", None, 1).view(np.float16), exact.astype(np.float16))


@pytest.mark.parametrize("name", QUANT_TYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(name: str, bad: float) -> None:
    rows = ROWS.copy()
    rows[69, 511] = bad
    with pytest.raises(StepFailed, match="not finite"):
        quantize_rows(rows, name, None, 2)


def test_a_value_beyond_f16_is_refused_not_made_infinite() -> None:
    with pytest.raises(StepFailed, match=r"7e\+04.*F16") as caught:
        quantize_rows(np.full((1, 32), 70000, np.float32), "F16", None, 1)
    assert "BF16" in caught.value.hint


def test_what_would_make_libggml_abort_is_refused() -> None:
    with pytest.raises(StepFailed, match="multiple of 256"):
        quantize_rows(np.zeros((2, 64), np.float32), "Q4_K", None, 1)
    with pytest.raises(StepFailed, match="importance has 3 columns"):
        quantize_rows(ROWS, "Q4_K", np.ones(3, np.float32), 1)
    with pytest.raises(StepFailed, match="importance has values"):
        quantize_rows(ROWS, "Q4_K", np.full(512, np.nan, np.float32), 1)
    with pytest.raises(StepFailed, match="not whole Q4_K rows"):
        dequantize(b"\0" * 100, "Q4_K", 256)
