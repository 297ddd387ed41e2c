"""A finished network against its source: distances by hand, and checks that see what is wrong."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.catalog.samples import Sample, Samples, save_samples
from edgeshrink.core.quality import LayerError, NetworkQuality
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.errors import DataError
from edgeshrink.evaluate.network import evaluate_network, reference_outputs

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from linear_networks import check, linear, source_of, value, value_of, write_onnx  # noqa: E402

RNG = np.random.default_rng(7)


WEIGHT = RNG.standard_normal((4, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """y = x W as the source, its reference over 12 samples, and a function that examines another file against it."""
    folder = tmp_path_factory.mktemp("linear")
    source = source_of(linear(folder / "source.onnx", WEIGHT))
    inputs = [RNG.standard_normal((2, 4)).astype(np.float32) for _ in range(12)]
    samples = folder / "evaluation.npz"
    save_samples(samples, Samples(tuple(Sample({"x": x}) for x in inputs), "12 of mine"))
    reference = folder / "reference"
    reference.mkdir()
    reference_outputs(source, samples, reference, threads=1)

    def examine(artifact: Path, **arguments: Any) -> NetworkQuality:
        given = {"runtime": "onnx", "delegate": "cpu", "source": source, "samples": samples, **arguments}
        return evaluate_network(artifact, reference=reference, threads=1, **given)

    examine.inputs = inputs  # type: ignore[attr-defined]
    examine.reference = reference  # type: ignore[attr-defined]
    examine.source = source  # type: ignore[attr-defined]
    examine.samples = samples  # type: ignore[attr-defined]
    return examine


def test_the_distances_are_those_computed_by_hand(examined: Any, tmp_path: Path) -> None:
    other = WEIGHT + 0.05 * RNG.standard_normal((4, 3)).astype(np.float32)
    layers = (LayerError("fc", "MatMul", 0.1, False),)
    quality = examined(linear(tmp_path / "other.onnx", other), layers=layers)
    true = [(x @ WEIGHT).astype(np.float64).ravel() for x in examined.inputs]
    found = [(x @ other).astype(np.float64).ravel() for x in examined.inputs]
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(true, found, strict=True)]
    noise = np.concatenate(found) - np.concatenate(true)
    assert value_of(quality.cosine_mean) == pytest.approx(np.mean(cosines), abs=1e-6)
    assert value_of(quality.cosine_min) == pytest.approx(min(cosines), abs=1e-6)
    assert value_of(quality.max_difference) == pytest.approx(np.abs(noise).max(), rel=1e-4)
    sqnr = 10 * math.log10((np.concatenate(true) ** 2).sum() / (noise**2).sum())
    assert value_of(quality.sqnr_db) == pytest.approx(sqnr, abs=1e-3)
    mean = quality.cosine_mean
    assert isinstance(mean, Measured) and mean.low is not None and mean.high is not None
    assert mean.low <= mean.value <= mean.high
    assert not quality.failed_checks and quality.layers == layers and quality.samples == 12
    assert quality.data == "12 of mine" and "onnx" in quality.reference
    assert isinstance(quality.score, Unmeasured)


def test_the_source_itself_passes_as_a_float_file(examined: Any) -> None:
    quality = examined(examined.source.path, scheme="fp32")
    assert not quality.failed_checks
    assert check(quality, "computes what the source computes").outcome == "ok"
    assert check(quality, "every declared size runs").detail == "rows 2, rows 3"
    assert isinstance(quality.sqnr_db, Unmeasured) and value_of(quality.max_difference) == 0.0


def test_a_float_file_that_is_a_little_off_fails_only_where_it_is_called_float(examined: Any, tmp_path: Path) -> None:
    file = linear(tmp_path / "off.onnx", WEIGHT * np.float32(1.01))
    assert not examined(file).failed_checks
    failed = examined(file, scheme="fp32").failed_checks
    assert [check.name for check in failed] == ["computes what the source computes"]


def test_outputs_that_are_not_finite_fail_and_are_never_a_figure(examined: Any, tmp_path: Path) -> None:
    quality = examined(linear(tmp_path / "nan.onnx", WEIGHT, then="Sqrt"), scheme="fp32")
    assert check(quality, "finite outputs").outcome == "failed"
    for reading in (quality.cosine_mean, quality.cosine_min, quality.max_difference, quality.sqnr_db):
        assert isinstance(reading, Unmeasured) and "not finite" in reading.reason


def test_a_size_that_was_declared_and_does_not_run_fails(examined: Any, tmp_path: Path) -> None:
    quality = examined(linear(tmp_path / "fixed.onnx", WEIGHT, rows=2))
    assert check(quality, "every declared size runs").outcome == "failed"
    assert "rows 3" in check(quality, "every declared size runs").detail
    assert "2 x 4" in check(quality, "inputs and outputs are the source's").detail


def test_other_output_names_and_shapes_fail(examined: Any, tmp_path: Path) -> None:
    name = "inputs and outputs are the source's"
    renamed = check(examined(linear(tmp_path / "renamed.onnx", WEIGHT, output="z")), name)
    assert renamed.outcome == "failed" and "its outputs are z, the source's y" in renamed.detail
    wide = write_onnx(
        tmp_path / "wide.onnx",
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        [value("x", ["rows", 4])],
        [value("y", ["rows", 5])],
        w=np.ones((4, 5), np.float32),
    )
    assert "y is float32 2x5, the source's float32 2x3" in check(examined(wide), name).detail


def test_nonsense_does_not_resemble_the_source(examined: Any, tmp_path: Path) -> None:
    quality = examined(linear(tmp_path / "minus.onnx", -WEIGHT))
    assert check(quality, "outputs resemble the source's").outcome == "failed"
    assert value_of(quality.cosine_mean) == pytest.approx(-1.0)


def test_a_file_that_does_not_load_is_a_failed_check(examined: Any, tmp_path: Path) -> None:
    file = tmp_path / "broken.onnx"
    file.write_bytes(b"no network")
    quality = examined(file)
    assert [check.name for check in quality.failed_checks] == ["runs"]
    assert isinstance(quality.cosine_mean, Unmeasured) and "did not run" in quality.cosine_mean.reason


def test_another_backend_than_asked_for_fails(examined: Any) -> None:
    quality = examined(examined.source.path, delegate="cuda")
    assert [check.name for check in quality.failed_checks] == ["backend"]
    assert check(quality, "backend").detail == "cuda was asked for, cpu ran"


def test_samples_that_are_not_the_references_are_not_compared(examined: Any, tmp_path: Path) -> None:
    save_samples(tmp_path / "s.npz", Samples((Sample({"x": np.ones((1, 4), np.float32)}),), "another"))
    with pytest.raises(DataError, match="other samples"):
        examined(examined.source.path, samples=tmp_path / "s.npz")
