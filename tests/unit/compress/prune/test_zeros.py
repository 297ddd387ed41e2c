"""Unstructured pruning and the writer of model folders, against plain numpy and torch."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.catalog.safetensors_headers import read_tensors
from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.compress.prune import folder as folders
from edgeshrink.compress.prune import magnitude, two_four, wanda
from edgeshrink.compress.prune.folder import NewTensor, stored, write_folder
from edgeshrink.compress.prune.scores import INPUTS, Scores
from edgeshrink.compress.prune.sparsifying import sparsify, zeros_for
from edgeshrink.core.events import silent
from edgeshrink.core.shape import Shape
from edgeshrink.errors import PlanError
from edgeshrink.planning.layout import parameter_count

RANDOM = np.random.default_rng(4)


@pytest.mark.parametrize("share", [0.0, 0.013, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("coarse", [False, True])
def test_magnitude_zeroes_exactly_the_smallest(share: float, coarse: bool) -> None:
    matrix = RANDOM.standard_normal((60, 50)).astype(np.float32)
    if coarse:  # many equal values, as in bfloat16
        matrix = np.round(matrix * 4) / 4
        matrix[matrix == 0] = 0.25
    blocks = [matrix[first : first + 7] for first in range(0, 60, 7)]
    count = round(share * matrix.size)
    threshold = magnitude.threshold(blocks, blocks, count)
    found = np.concatenate([threshold.zeroed(block) for block in blocks])
    assert int((found == 0).sum()) == count
    kept, gone = np.abs(matrix[found != 0]), np.abs(matrix[found == 0])
    assert not count or not len(kept) or gone.max() <= kept.min()
    np.testing.assert_array_equal(found[found != 0], matrix[found != 0])


def test_wanda_weighs_by_what_enters() -> None:
    block = RANDOM.standard_normal((5, 12)).astype(np.float32)
    inputs = RANDOM.random(12).astype(np.float32) + 0.1
    found = wanda.zeroed(block, inputs, 0.25)
    for row, kept in zip(block, found, strict=True):
        least = sorted(range(12), key=lambda column: abs(row[column]) * inputs[column])[:3]
        assert set(np.flatnonzero(kept == 0)) == set(least)
    assert (block != 0).all()  # what was given is as it was


@pytest.mark.parametrize("weighed", [False, True])
def test_two_of_every_four_stay(weighed: bool) -> None:
    block = RANDOM.standard_normal((6, 16)).astype(np.float32)
    inputs = RANDOM.random(16).astype(np.float32) + 0.1 if weighed else None
    found = two_four.zeroed(block, inputs)
    sizes = np.abs(block) * (1 if inputs is None else inputs)
    for row in range(6):
        for first in range(0, 16, 4):
            four = slice(first, first + 4)
            largest = set(np.argsort(sizes[row, four])[2:])
            assert set(np.flatnonzero(found[row, four])) == largest


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
def test_numbers_are_stored_as_torch_stores_them(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    values = np.concatenate(
        [RANDOM.standard_normal(4000) * 10.0 ** RANDOM.integers(-4, 4, 4000), [0.0, -0.0, np.inf, -np.inf, np.nan]]
    ).astype(np.float32)
    kind = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}[dtype]
    expected = torch.from_numpy(values).to(kind).view(torch.uint8 if dtype == "F32" else torch.int16).numpy()
    found = np.frombuffer(stored(values, dtype), expected.dtype)
    if dtype != "F32":  # which NaN is not said
        expected, found = expected[:-1], found[:-1]
    np.testing.assert_array_equal(found, expected)


def test_a_large_model_is_written_in_shards(tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "BLOCK_NUMBERS", 100)
    facts = inspect_folder(tiny_llama, "tiny")
    arrays = {name: RANDOM.standard_normal((9, 30)).astype(np.float32) for name in "abcde"}
    names = list(arrays)
    tensors = [NewTensor(name, (9, 30), "F32") for name in names]

    def values(index: int) -> Any:
        for first, last in folders.row_blocks(9, 30):
            yield arrays[names[index]][first:last]

    write_folder(tmp_path, facts.config, tensors, values, like=facts, listener=silent, shard_bytes=2500)
    assert sorted(path.name for path in tmp_path.glob("*.safetensors")) == [
        f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)
    ]
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text(encoding="utf-8"))
    assert index["metadata"]["total_size"] == 5 * 9 * 30 * 4
    found = read_tensors(tmp_path)
    assert [tensor.name for tensor in found] == names
    for tensor in found:
        np.testing.assert_array_equal(read_rows(tensor), arrays[tensor.name])
        assert index["weight_map"][tensor.name] == tensor.file.name


def test_the_asked_share_of_all_parameters_is_left_and_a_zip_is_smaller(tiny_llama: Path, tmp_path: Path) -> None:
    facts = inspect_folder(tiny_llama, "tiny")
    zeros = zeros_for(facts, 0.93, "magnitude")
    told = sparsify(facts, tmp_path / "sparse", method="magnitude", zeros=zeros)
    assert told.zeros == pytest.approx(0.07, abs=1e-4)
    weights = (tmp_path / "sparse" / "model.safetensors").read_bytes()
    assert told.file_bytes == len(weights)
    assert told.zip_bytes == pytest.approx(len(zlib.compress(weights, 1)), rel=0.001)
    assert told.zip_bytes < told.zip_bytes_before
    assert Shape.of(inspect_folder(tmp_path / "sparse", "sparse")) == Shape.of(facts)


def test_a_share_that_zeros_in_the_blocks_cannot_reach_is_refused(tiny_llama: Path) -> None:
    facts = inspect_folder(tiny_llama, "tiny")
    with pytest.raises(PlanError, match="cannot be reached"):
        zeros_for(facts, 0.5, "wanda")  # seven eighths of it are embeddings
    matrices = 2 * (64 * 64 * 3 + 3 * 64 * 128)
    nearest = 1 - 0.5 * matrices / parameter_count(facts)
    with pytest.raises(PlanError, match=rf"2:4 leaves {nearest:.3f}") as refused:
        zeros_for(facts, 0.5, "2:4")
    asked = float(refused.value.hint.split("--params ")[1].split(",")[0])
    assert zeros_for(facts, asked, "2:4") == 0.5


def test_wanda_needs_scores_of_this_model(tiny_llama: Path, tmp_path: Path) -> None:
    facts = inspect_folder(tiny_llama, "tiny")
    with pytest.raises(PlanError, match="needs the sizes"):
        sparsify(facts, tmp_path / "sparse", method="wanda", zeros=0.5)
    wrong = {name: np.ones((2, 12), np.float32) for name in INPUTS}
    scores = Scores(Shape.of(facts), 1, "", ("wanda",), inputs=wrong)
    with pytest.raises(PlanError, match="another shape"):
        sparsify(facts, tmp_path / "sparse", method="wanda", zeros=0.5, scores=scores)
    assert not (tmp_path / "sparse").exists()
