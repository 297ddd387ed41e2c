"""Slices of rows, as numpy would cut and reorder them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeshrink.core.model import SourceTensor
from edgeshrink.core.plan import TensorPlan
from edgeshrink.errors import DataError
from edgeshrink.export.gguf.source import (
    check_source_tensor,
    interleave_halves,
    read_slice,
    row_slices,
    source_rows,
    to_float32,
)


def stored(path: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, SourceTensor]:
    values = np.arange(np.prod(shape), dtype="<f4").reshape(shape)
    path.write_bytes(b"header." + values.tobytes())
    return values, SourceTensor("w", shape, "F32", path, 7, values.nbytes)


def rope_permuted(values: np.ndarray, heads: int) -> np.ndarray:
    """What transformers' own Llama conversion undoes: half-split rows of a head to pairs."""
    head = values.shape[0] // heads
    order = [h * head + half * head // 2 + pair for h in range(heads) for pair in range(head // 2) for half in (0, 1)]
    return values[order]


@pytest.mark.parametrize("shape", [(24, 6), (24,)])
@pytest.mark.parametrize("limit", [1, 12, 13, 30, 48, 60, 200])
@pytest.mark.parametrize("heads", [0, 2, 3])
def test_slices_put_together_are_the_tensor(shape: tuple[int, ...], limit: int, heads: int, tmp_path: Path) -> None:
    values, tensor = stored(tmp_path / "w", shape)
    plan = TensorPlan("w", "w", shape, "F32", "", "rope_permute" if heads else "none", heads)
    raw, other, floats = np.empty(999, np.uint8), np.empty(999, np.uint8), np.empty(999, np.float32)
    pieces = []
    for part in row_slices(plan, limit):
        assert part.elements <= max(limit, part.width * (2 if heads else 1))
        data = read_slice(tensor, source_rows(plan, part), part.width, raw)
        if heads:
            data = interleave_halves(data, plan, part, other)
        pieces.append(to_float32(data, "F32", part, floats).copy())
    expected = rope_permuted(values, heads) if heads else values
    assert np.array_equal(np.concatenate(pieces).reshape(shape), expected)


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_every_half_precision_number_is_read_exactly(dtype: str, tmp_path: Path) -> None:
    bits = np.arange(1 << 16, dtype="<u2")
    (tmp_path / "w").write_bytes(bits.tobytes())
    plan = TensorPlan("w", "w", (256, 256), "F32", "")
    tensor = SourceTensor("w", (256, 256), dtype, tmp_path / "w", 0, bits.nbytes)
    (part,) = row_slices(plan, 1 << 16)
    raw = read_slice(tensor, source_rows(plan, part), part.width, np.empty(1 << 17, np.uint8))
    found = to_float32(raw, dtype, part, np.empty(1 << 16, np.float32)).reshape(-1)
    with np.errstate(invalid="ignore"):
        expected = bits.view("<f2").astype(np.float32) if dtype == "F16" else (bits.astype("<u4") << 16).view("<f4")
    assert np.array_equal(found, expected, equal_nan=True)


def test_a_file_that_ends_early_is_said(tmp_path: Path) -> None:
    _, tensor = stored(tmp_path / "w", (4, 8))
    (tmp_path / "w").write_bytes((tmp_path / "w").read_bytes()[:-1])
    with pytest.raises(DataError, match="ends inside tensor w"):
        read_slice(tensor, ((0, 4),), 8, np.empty(999, np.uint8))


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    _, tensor = stored(tmp_path / "w", (4, 8))
    (tmp_path / "w").unlink()
    with pytest.raises(DataError, match="tensor w cannot be read: No such file"):
        read_slice(tensor, ((0, 4),), 8, np.empty(999, np.uint8))


@pytest.mark.parametrize(
    ("change", "says"),
    [({"shape": (8, 4)}, r"w is F32 \[8, 4\]"), ({"dtype": "I8"}, "is I8"), ({"nbytes": 127}, "in 127 bytes")],
)
def test_a_source_that_is_not_what_the_plan_expects_is_refused(
    change: dict[str, object], says: str, tmp_path: Path
) -> None:
    given: dict[str, object] = {"shape": (4, 8), "dtype": "F32", "nbytes": 128, **change}
    tensor = SourceTensor(name="w", file=tmp_path / "w", offset=0, **given)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=says):
        check_source_tensor(tensor, TensorPlan("blk.w", "w", (4, 8), "F32", ""))


def test_heads_that_do_not_divide_the_rows_are_refused() -> None:
    plan = TensorPlan("q", "q", (10, 4), "F32", "", "rope_permute", 4)
    with pytest.raises(DataError, match="10 rows are not 4 heads"):
        list(row_slices(plan, 100))
