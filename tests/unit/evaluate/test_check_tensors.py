"""A tensor that is not the plan's, or no longer the source's, is found in the file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built_gguf import Builder, Built, build_gguf
from tiny_models import write_tiny_model

from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.core.plan import TensorPlan
from edgeshrink.evaluate.checks.tensors import allowed_error, check_tensors, check_weights, source_row
from edgeshrink.planning.schemes import SCHEMES

Change = Callable[[Any], Any]


@pytest.fixture(scope="module")
def mixture(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """A mixture of experts as any scheme."""
    folder = tmp_path_factory.mktemp("mixture")
    source = write_tiny_model(folder / "model", demo_model, "qwen2_moe")
    return lambda scheme: build_gguf(source, folder / f"{scheme}.gguf", scheme)


@pytest.fixture
def spoiled(tmp_path: Path) -> Callable[[Built, str, Change], Path]:
    """A copy whose one tensor went through `change` as (rows, row bytes)."""

    def spoil(built: Built, name: str, change: Change) -> Path:
        path = tmp_path / "spoiled.gguf"
        shutil.copy(built.path, path)
        tensor = next(entry for entry in read_gguf_header(path).tensors if entry.name == name)
        with path.open("r+b") as file:
            file.seek(tensor.offset)
            rows = np.frombuffer(file.read(tensor.nbytes), np.uint8).reshape(tensor.shape[0], -1)
            file.seek(tensor.offset)
            file.write(np.ascontiguousarray(change(rows)).tobytes())
        return path

    return spoil


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_sound_file_of_every_scheme_holds(built: Builder, scheme: str) -> None:
    made = built(scheme)
    assert check_tensors(made.path, made.tensors).outcome == "ok"
    check = check_weights(made.path, made.tensors, made.facts)
    assert (check.outcome, "47 tensors" in check.detail) == ("ok", True), check.detail


@pytest.mark.parametrize("scheme", ["F32", "Q8_0", "Q4_0", "Q2_K"])
def test_mixed_up_rows_of_one_matrix_are_found(built: Builder, spoiled: Any, scheme: str) -> None:
    made = built(scheme)
    path = spoiled(made, "blk.2.attn_q.weight", np.random.default_rng(1).permutation)
    check = check_weights(path, made.tensors, made.facts)
    assert check.outcome == "failed"
    assert "1 of 47 tensors" in check.detail and "blk.2.attn_q.weight" in check.detail


@pytest.mark.parametrize("scheme", ["F32", "Q2_K"])
def test_a_lost_matrix_is_found(built: Builder, spoiled: Any, scheme: str) -> None:
    made = built(scheme)
    path = spoiled(made, "blk.4.ffn_up.weight", np.zeros_like)
    assert "blk.4.ffn_up.weight" in check_weights(path, made.tensors, made.facts).detail


def test_a_skipped_rotary_reordering_is_found(built: Builder) -> None:
    made = built("F32")
    plain = tuple(replace(entry, transform="none") for entry in made.tensors)
    check = check_weights(made.path, plain, made.facts)
    assert check.outcome == "failed"
    assert "10 of 47 tensors" in check.detail and "attn_k" in check.detail


def test_one_flipped_bit_of_a_looked_at_row_is_found_in_an_unquantized_file(built: Builder, spoiled: Any) -> None:
    made = built("F32")

    def flip(rows: Any) -> Any:
        changed = rows.copy()
        changed[0, 2] ^= 1
        return changed

    assert check_weights(spoiled(made, "output_norm.weight", flip), made.tensors, made.facts).outcome == "failed"


def test_another_type_shape_or_name_than_planned_is_told(built: Builder) -> None:
    made = built("Q8_0")
    entry = next(tensor for tensor in made.tensors if tensor.name == "blk.0.attn_v.weight")
    others = tuple(tensor for tensor in made.tensors if tensor is not entry)
    for wrong, words in (
        (replace(entry, type="Q4_0"), "blk.0.attn_v.weight is 32x64 Q8_0, planned 32x64 Q4_0"),
        (replace(entry, shape=(64, 32)), "planned 64x32 Q8_0"),
        (replace(entry, name="blk.0.attn_w.weight"), "blk.0.attn_v.weight is not in the plan"),
    ):
        check = check_tensors(made.path, (*others, wrong))
        assert check.outcome == "failed"
        assert words in check.detail


def test_a_file_cut_short_is_a_failed_check(built: Builder, tmp_path: Path) -> None:
    path = tmp_path / "short.gguf"
    path.write_bytes(built("F32").path.read_bytes()[:-1000])
    check = check_tensors(path, built("F32").tensors)
    assert (check.outcome, "cut short" in check.detail) == ("failed", True)


def test_rotary_rows_come_from_the_two_halves_of_their_head() -> None:
    plan = TensorPlan("blk.0.attn_q.weight", "q", (16, 4), "F32", "", "rope_permute", heads=2)
    assert [source_row(plan, row) for row in range(16)] == [0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15]


def test_fewer_bits_may_be_further_off_but_never_as_far_as_lost() -> None:
    order = ["F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K", "Q4_K", "Q3_K", "Q2_K"]
    allowed = [allowed_error(name) for name in order]
    assert allowed == sorted(allowed)
    assert allowed[-1] < 1


@pytest.mark.parametrize("scheme", ["F32", "Q8_0", "Q2_K"])
def test_an_expert_in_anothers_place_is_found(mixture: Builder, spoiled: Any, scheme: str) -> None:
    made = mixture(scheme)
    assert check_tensors(made.path, made.tensors).outcome == "ok"
    sound = check_weights(made.path, made.tensors, made.facts)
    assert (sound.outcome, f"{len(made.tensors)} tensors" in sound.detail) == ("ok", True), sound.detail
    path = spoiled(made, "blk.1.ffn_up_exps.weight", lambda experts: experts[[0, 1, 2, 3, 4, 6, 5, 7]])
    check = check_weights(path, made.tensors, made.facts)
    assert check.outcome == "failed"
    assert f"1 of {len(made.tensors)} tensors" in check.detail and "blk.1.ffn_up_exps.weight" in check.detail
