"""The float network's own run: sources that cannot be a reference, and scores."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgeshrink.catalog.networks import network_source, source_to_json
from edgeshrink.catalog.samples import Sample, Samples, save_samples
from edgeshrink.errors import DataError
from edgeshrink.evaluate.network import reference_outputs
from edgeshrink.evaluate.network_job import reference_job
from edgeshrink.evaluate.network_reference import read_network_reference

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from linear_networks import linear, source_of, value, write_onnx  # noqa: E402

RNG = np.random.default_rng(7)


WEIGHT = RNG.standard_normal((4, 3)).astype(np.float32)


def test_a_source_that_is_not_finite_itself_is_refused(tmp_path: Path) -> None:
    source = source_of(linear(tmp_path / "nan.onnx", WEIGHT, then="Sqrt"))
    save_samples(tmp_path / "s.npz", Samples((Sample({"x": np.ones((1, 4), np.float32) * 9}),), "one"))
    (tmp_path / "reference").mkdir()
    with pytest.raises(DataError, match="itself computes y that is not finite, on sample 0"):
        reference_outputs(source, tmp_path / "s.npz", tmp_path / "reference", threads=1)
    with pytest.raises(DataError, match="not a stored reference"):
        read_network_reference(tmp_path / "reference")


def test_a_source_that_says_something_else_each_time_is_refused(tmp_path: Path) -> None:
    nodes = [
        onnx.helper.make_node("RandomNormalLike", ["x"], ["r"]),
        onnx.helper.make_node("Add", ["x", "r"], ["y"]),
    ]
    source = source_of(write_onnx(tmp_path / "random.onnx", nodes, [value("x", [1, 4])], [value("y", [1, 4])]))
    save_samples(tmp_path / "s.npz", Samples((Sample({"x": np.ones((1, 4), np.float32)}),), "one"))
    (tmp_path / "reference").mkdir()
    with pytest.raises(DataError, match="another y each time"):
        reference_outputs(source, tmp_path / "s.npz", tmp_path / "reference", threads=1)


def test_a_scorer_that_fails_is_the_persons_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "scored_net.py").write_text(
        "import torch\n\n\nmake = lambda: (torch.nn.Linear(4, 3), torch.ones(1, 4), lambda outputs, label: 1 / 0)\n",
        encoding="utf-8",
    )
    source = network_source("scored_net:make")
    assert source is not None
    save_samples(tmp_path / "s.npz", Samples((Sample({"input": np.ones((1, 4), np.float32)}),), "one"))
    (tmp_path / "reference").mkdir()
    with pytest.raises(DataError, match="the scorer of scored_net:make failed: ZeroDivisionError"):
        reference_outputs(source, tmp_path / "s.npz", tmp_path / "reference", threads=1)


def test_an_image_folder_named_as_the_labels_is_scored_without_a_scorer(tmp_path: Path) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    config = transformers.ResNetConfig(
        hidden_sizes=[8, 8],
        depths=[1, 1],
        embedding_size=8,
        layer_type="basic",
        image_size=16,
        id2label={0: "tabby cat", 1: "Dog"},
        label2id={"tabby cat": 0, "Dog": 1},
    )
    torch.manual_seed(0)
    transformers.ResNetForImageClassification(config).eval().save_pretrained(tmp_path / "net")
    source = source_of(tmp_path / "net")
    inputs = [{"pixel_values": RNG.standard_normal((1, 3, 16, 16)).astype(np.float32)} for _ in range(6)]
    items = tuple(Sample(arrays, place % 2) for place, arrays in enumerate(inputs))
    save_samples(tmp_path / "s.npz", Samples(items, "mine", ("dog", "tabby_cat")))
    (tmp_path / "reference").mkdir()
    job = {"source": source_to_json(source), "threads": 1}
    job |= {"samples": str(tmp_path / "s.npz"), "folder": str(tmp_path / "reference")}
    reference_job(job, lambda event: None)  # as the child does it
    reference = read_network_reference(tmp_path / "reference")
    with reference.open_outputs() as stored:
        tops = [int(np.argmax(stored[place]["logits"])) for place in range(6)]
    assert reference.scores == tuple(float(top == (1, 0)[place % 2]) for place, top in enumerate(tops))
    save_samples(tmp_path / "s.npz", Samples(items, "mine", ("bird", "dog")))
    reference_job(job, lambda event: None)
    assert "bird is not one of the network's classes" in read_network_reference(tmp_path / "reference").unscored
