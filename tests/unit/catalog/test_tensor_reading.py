"""Rows of a source tensor are read exactly, and only those that were asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.core.model import SourceTensor
from edgeshrink.errors import DataError


def stored(path: Path, dtype: str, data: bytes, *shape: int) -> SourceTensor:
    path.write_bytes(b"header" + data)
    return SourceTensor("w", shape, dtype, path, 6, len(data))


def test_bfloat16_is_the_upper_half_of_a_float32(tmp_path: Path) -> None:
    values = np.array([[0.0, -0.0, 1.0], [-2.5, np.inf, 3.0e38]], dtype=np.float32)
    halves = (values.view(np.uint32) >> 16).astype("<u2")
    found = read_rows(stored(tmp_path / "w", "BF16", halves.tobytes(), 2, 3))
    assert found.tobytes() == (halves.astype(np.uint32) << 16).view(np.float32).tobytes()
    assert found[1, 0] == -2.5 and np.isinf(found[1, 1])


@pytest.mark.parametrize(("dtype", "numpy"), [("F16", "<f2"), ("F32", "<f4")])
def test_a_part_of_the_rows_is_that_part(tmp_path: Path, dtype: str, numpy: str) -> None:
    values = np.random.default_rng(1).normal(size=(7, 5)).astype(numpy)
    found = read_rows(stored(tmp_path / "w", dtype, values.tobytes(), 7, 5), 2, 4)
    assert found.dtype == np.float32
    assert found.tolist() == values[2:4].astype(np.float32).tolist()


def test_a_vector_is_one_row(tmp_path: Path) -> None:
    values = np.arange(6, dtype="<f4")
    assert read_rows(stored(tmp_path / "w", "F32", values.tobytes(), 6)).shape == (1, 6)


def test_a_file_that_ends_too_early_is_refused_with_the_counts(tmp_path: Path) -> None:
    tensor = stored(tmp_path / "w", "F32", bytes(4 * 10), 3, 5)
    with pytest.raises(DataError, match="ends inside tensor w: 10 of 15 numbers"):
        read_rows(tensor)


def test_a_type_that_is_no_plain_float_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"tensor w is F8_E4M3, expected one of F32, F16, BF16"):
        read_rows(stored(tmp_path / "w", "F8_E4M3", bytes(4), 2, 2))
