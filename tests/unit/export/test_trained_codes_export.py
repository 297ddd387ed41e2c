"""Codes that were trained come into the file as they are, in the order of rows that llama.cpp wants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
from test_gguf_source import rope_permuted

from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.core.events import silent
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import SourceTensor
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.quant_types import QUANT_TYPES
from edgeshrink.errors import DataError, StepFailed
from edgeshrink.evaluate.checks.trained_codes import check_trained_codes
from edgeshrink.export.gguf.write import write_gguf
from edgeshrink.ggml.quantize import quantize_rows

TYPES = sorted(name for name, type in QUANT_TYPES.items() if type.is_quantized)
HEADER = (KeyValue("general.architecture", "string", "llama"),)
ROWS, ROW, HEADS = 24, 512, 3


def stored(path: Path, type: str) -> tuple[np.ndarray, SourceTensor]:
    """Blocks behind a few other bytes."""
    values = np.random.default_rng(8).standard_normal((ROWS, ROW), np.float32)
    blocks = quantize_rows(values, type, None, 1)
    path.write_bytes(b"before " + blocks.tobytes())
    return blocks, SourceTensor("w", (ROWS, ROW), type, path, 7, blocks.nbytes)


def written(folder: Path, plan: TensorPlan, tensor: SourceTensor) -> Path:
    path = folder / "model.gguf"
    write_gguf(path, HEADER, (plan,), {"w": tensor}, importance=None, threads=2, listener=silent)
    return path


def plan_of(type: str, *, permuted: bool) -> TensorPlan:
    if permuted:
        return TensorPlan("blk.0.attn_q.weight", "w", (ROWS, ROW), type, "", "rope_permute", HEADS)
    return TensorPlan("blk.0.attn_v.weight", "w", (ROWS, ROW), type, "")


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("permuted", [False, True])
def test_the_file_has_the_codes_byte_for_byte(type: str, permuted: bool, tmp_path: Path) -> None:
    """Oracle: gguf-py's reader."""
    blocks, tensor = stored(tmp_path / "codes", type)
    plan = plan_of(type, permuted=permuted)
    path = written(tmp_path, plan, tensor)
    (found,) = gguf.GGUFReader(path).tensors
    expected = rope_permuted(blocks, HEADS) if permuted else blocks
    assert np.array_equal(np.asarray(found.data).reshape(expected.shape), expected)
    check = check_trained_codes(path, (plan,), {"w": tensor})
    assert (check.outcome, check.detail) == ("ok", "1 tensors hold exactly the codes that were trained")


@pytest.mark.parametrize("permuted", [False, True])
def test_a_code_that_is_another_one_is_found(permuted: bool, tmp_path: Path) -> None:
    blocks, tensor = stored(tmp_path / "codes", "Q3_K")
    plan = plan_of("Q3_K", permuted=permuted)
    path = written(tmp_path, plan, tensor)
    (place,) = read_gguf_header(path).tensors
    with path.open("r+b") as file:
        file.seek(place.offset + 3 * blocks.shape[1] + 50)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    check = check_trained_codes(path, (plan,), {"w": tensor})
    assert check.outcome == "failed"
    assert check.detail == f"{plan.name}: the file has other codes than those that were trained"


def test_rows_in_another_order_are_found(tmp_path: Path) -> None:
    _, tensor = stored(tmp_path / "codes", "Q4_K")
    path = written(tmp_path, plan_of("Q4_K", permuted=False), tensor)
    straight = replace(plan_of("Q4_K", permuted=True), name="blk.0.attn_v.weight")
    assert check_trained_codes(path, (straight,), {"w": tensor}).outcome == "failed"
    lost = replace(straight, name="blk.9.attn_v.weight")
    assert "is missing" in check_trained_codes(path, (lost,), {"w": tensor}).detail


def test_codes_of_another_type_are_refused(tmp_path: Path) -> None:
    _, tensor = stored(tmp_path / "codes", "Q4_0")
    with pytest.raises(DataError, match="tensor w is Q4_0"):
        written(tmp_path, plan_of("Q4_1", permuted=False), tensor)
    with pytest.raises(DataError, match=r"is Q4_0 \[24, 512\] in 99 bytes"):
        written(tmp_path, plan_of("Q4_0", permuted=False), replace(tensor, nbytes=99))


def test_a_scale_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    blocks, tensor = stored(tmp_path / "codes", "Q4_0")
    blocks[5, :2] = np.frombuffer(np.float16(np.inf).tobytes(), np.uint8)
    tensor.file.write_bytes(b"before " + blocks.tobytes())
    with pytest.raises(StepFailed, match="hold scales that are not finite"):
        written(tmp_path, plan_of("Q4_0", permuted=False), tensor)
