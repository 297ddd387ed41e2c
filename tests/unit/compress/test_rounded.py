"""Weights as a GGUF spells them: gguf-py reads the same numbers out of the blocks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
from built_formats import build_format

from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.compress.grid.rounded import Rounding, planned_rounding, rounded, rounding_of
from edgeshrink.compress.imatrix.formats import write_importance
from edgeshrink.core.importance import Importance
from edgeshrink.core.plan import Plan, Predictions, TensorPlan
from edgeshrink.core.reading import Unmeasured
from edgeshrink.errors import DataError, PlanError
from edgeshrink.planning.layout import layout
from edgeshrink.planning.presets import preset_types

_NOTHING = Unmeasured("not asked")
_PREDICTED = Predictions(*[_NOTHING] * 7)


def plan(folder: Path, scheme: str, *, uses_imatrix: bool = False) -> Plan:
    facts = inspect_folder(folder, "demo")
    tensors = preset_types(scheme, layout(facts), facts, has_imatrix=uses_imatrix)
    return Plan("t", "p", "gguf", "llama_cpp", "cpu", scheme, 64, "llama", tensors, uses_imatrix, (), _PREDICTED)


def matrix(file: Path, name: str, columns: int) -> Path:
    sums = np.random.default_rng(2).random((1, columns), np.float32) ** 8
    write_importance(file, Importance({name: sums}, {name: np.array([7])}, ("walks",), 1, 7))
    return file


def test_every_weight_is_what_the_file_of_the_scheme_holds(demo_model: Path, tmp_path: Path) -> None:
    written = build_format(demo_model, tmp_path / "built", "gguf", scheme="Q4_K_M")
    rounding = planned_rounding(plan(demo_model, "Q4_K_M"), None)
    facts = inspect_folder(demo_model, "demo")
    held = {tensor.source: tensor.name for tensor in layout(facts)}
    reader = {tensor.name: tensor for tensor in gguf.GGUFReader(written).tensors}
    seen = set()
    for tensor in facts.tensors:
        stored = reader[held[tensor.name]]
        if len(tensor.shape) < 2 or tensor.name.endswith(("q_proj.weight", "k_proj.weight")):
            continue  # vectors stay, and rows of q and k are turned in the file
        found = rounding.of(tensor.name, read_rows(tensor))
        assert np.array_equal(found, gguf.quants.dequantize(stored.data, stored.tensor_type)), tensor.name
        seen.add(stored.tensor_type.name)
    assert seen == {"Q4_K", "Q6_K"}
    assert {tensor.dtype for tensor in read_gguf_header(written).tensors} == {"Q4_K", "Q6_K", "F32"}


def test_columns_that_count_more_are_rounded_better(tmp_path: Path) -> None:
    values = np.random.default_rng(1).standard_normal((64, 256)).astype(np.float32)
    rounding = Rounding("Q3_K_M", {"w": "Q3_K"}, matrix(tmp_path / "m.gguf", "blk.0.w", 256), {"w": "blk.0.w"})

    weights = rounding.weights("w", 256)
    assert weights is not None
    errors = [((found - values) ** 2 * weights).sum() for found in (rounding.of("w", values), rounded(values, "Q3_K"))]
    assert errors[0] < 0.8 * errors[1]
    assert np.array_equal(rounding.of("norm", values[0]), values[0])


def test_a_matrix_of_another_model_is_refused(tmp_path: Path) -> None:
    rounding = Rounding("Q4_0", {"w": "Q4_0"}, matrix(tmp_path / "m.gguf", "blk.0.w", 64), {"w": "blk.0.w"})

    with pytest.raises(DataError, match="64 columns for w, whose rows have 32"):
        rounding.of("w", np.zeros((2, 32), np.float32))


def test_it_crosses_to_a_child_as_json(tmp_path: Path) -> None:
    told = Rounding("Q4_0", {"w": "Q4_0"}, tmp_path / "m.gguf", {"w": "blk.0.w"})

    assert rounding_of(json.loads(json.dumps(told.json()))) == told


def test_stacked_experts_are_refused(demo_model: Path) -> None:
    planned = plan(demo_model, "Q4_0")
    stack = TensorPlan("blk.0.ffn_up_exps.weight", "experts", (4, 64, 32), "Q4_0", "")

    with pytest.raises(PlanError, match="mixture of experts"):
        planned_rounding(replace(planned, tensors=(*planned.tensors, stack)), None)
