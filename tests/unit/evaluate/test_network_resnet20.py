"""The real ResNet-20: its reference on real pictures, and its ONNX file against it."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.catalog.networks import network_source
from edgeshrink.catalog.samples import load_samples
from edgeshrink.core.reading import Measured
from edgeshrink.evaluate.network import evaluate_network, reference_outputs
from edgeshrink.evaluate.network_distances import mean_reading
from edgeshrink.evaluate.network_reference import read_network_reference
from edgeshrink.runtimes.network_facts import network_facts
from edgeshrink.runtimes.network_samples import prepare_samples

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from linear_networks import check, value_of


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Any:
    """The real ResNet-20: its source, its folder of samples and of the reference."""
    pytest.importorskip("torch")
    pytest.importorskip("PIL")
    folder = tmp_path_factory.mktemp("resnet")
    with tarfile.open(shared_data / "images" / "cifar10-train3000.tar") as archive:
        archive.extractall(folder, filter="data")
    source = network_source("models.resnet20:make_model")
    assert source is not None
    facts = network_facts(source)
    prepare_samples(source, facts, folder / "train", calibration_count=20, evaluation_count=500, out=folder)
    (folder / "reference").mkdir()
    reference_outputs(source, folder / "evaluation.npz", folder / "reference", threads=1)
    return source, facts, folder


def test_resnet20_is_as_good_as_its_weights(resnet: Any) -> None:
    _, facts, folder = resnet
    assert facts.scores and facts.name == "resnet20" and facts.parameters == 269722  # 0.27 M in the paper's table 6
    reference = read_network_reference(folder / "reference")
    assert reference.scores is not None and len(reference.scores) == 500
    accuracy = mean_reading(reference.scores, in_order=False)
    assert isinstance(accuracy, Measured) and accuracy.value > 0.78
    samples = load_samples(folder / "evaluation.npz", names=["pixel_values"])
    labels = [sample.label for sample in samples.items]
    assert {labels.count(label) for label in range(10)} == {50}
    with reference.open_outputs() as stored:
        hits = [int(np.argmax(stored[place]["logits"])) == label for place, label in enumerate(labels)]
    assert [float(hit) for hit in hits] == list(reference.scores)


def test_an_exported_resnet20_scores_as_its_source(resnet: Any, tmp_path: Path) -> None:
    import warnings

    import torch

    from edgeshrink.runtimes.torch_network import load

    source, _, folder = resnet
    network = load(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.module,
            network.arguments,
            str(tmp_path / "resnet.onnx"),
            dynamo=True,
            verbose=False,
            input_names=["pixel_values"],
            output_names=["logits"],
            external_data=False,
        )
    quality = evaluate_network(
        tmp_path / "resnet.onnx",
        runtime="onnx",
        delegate="cpu",
        reference=folder / "reference",
        samples=folder / "evaluation.npz",
        source=source,
        scheme="fp32",
        threads=1,
    )
    assert not quality.failed_checks
    assert value_of(quality.score) == value_of(quality.reference_score)
    assert value_of(quality.same_top_share) == 1.0
    assert check(quality, "every declared size runs").outcome == "skipped"
