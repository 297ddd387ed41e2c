"""A whole session of a network on a real file in real child processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.core.events import Progress
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.errors import RuntimeFailed
from edgeshrink.measure.network import measure_network

pytest.importorskip("onnxruntime")

ONNX: dict[str, Any] = {"sha256": "digest", "runtime": "onnx", "delegate": "cpu", "threads": 1}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """relu(x @ w), x of (1, n, 64)."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weight = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", kind, [1, "n", 64])],
        [helper.make_tensor_value_info("y", kind, [1, "n", 64])],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path_factory.mktemp("network") / "tiny network ä.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("samples") / "samples.npz"
    arrays = {f"{at:05d}/x": np.ones((1, length, 64), np.float32) for at, length in enumerate((8, 2, 8, 32))}
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


@pytest.fixture(scope="module")
def progress() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def measured(network: Path, samples: Path, progress: list[Progress]) -> Measurements:
    return measure_network(network, samples=samples, power_sources=("rapl",), listener=progress.append, **ONNX)


def test_each_kind_of_shape_has_its_percentiles(measured: Measurements) -> None:
    assert [point.shapes for point in measured.inference] == ["x 1x2x64", "x 1x8x64", "x 1x32x64"]
    for point in measured.inference:
        assert len(point.samples_ms) >= 100
        values = []
        for reading in (point.p50_ms, point.p95_ms, point.p99_ms):
            assert isinstance(reading, Measured) and "one run" in reading.how
            values.append(reading.value)
        assert 0 < min(point.samples_ms) <= values[0] <= values[1] <= values[2] <= max(point.samples_ms)


def test_what_belongs_to_language_models_says_why_it_is_missing(measured: Measurements) -> None:
    assert measured.prefill == () and measured.inter_token_samples_ms == ()
    for name in ("decode_tok_s", "inter_token_p50_ms", "inter_token_p99_ms", "energy_mj_per_token"):
        assert getattr(measured, name) == Unmeasured("a network generates no tokens")


def test_it_ran_in_this_runtime_and_memory_knows_what_was_there_before(network: Path, measured: Measurements) -> None:
    assert (measured.runtime.name, measured.runtime.context) == ("onnx", 0)
    assert (measured.artifact_sha256, measured.artifact_bytes) == ("digest", network.stat().st_size)
    peak, before = measured.memory.peak_rss_bytes, measured.memory.baseline_rss_bytes
    assert isinstance(peak, Measured) and isinstance(before, Measured)
    assert 5 << 20 < before.value <= peak.value < before.value + (200 << 20)
    assert {sample.phase for sample in measured.memory.timeline} <= {"start", "load", "run", "end"}


def test_loads_and_energy_are_measured_or_say_why_not(measured: Measurements) -> None:
    assert isinstance(measured.load_warm_ms, Measured) and measured.load_warm_ms.value > 0
    assert isinstance(measured.load_cold_ms, Measured) or measured.load_cold_ms.reason
    for point in measured.inference:
        assert isinstance(point.energy_mj, Measured) or point.energy_mj.reason.startswith("no power source: tried rapl")


def test_progress_rises_to_its_total(measured: Measurements, progress: list[Progress]) -> None:
    done = [step.done for step in progress]
    assert done == sorted(done)
    assert done[-1] == progress[-1].total >= 300


def test_without_samples_random_inputs_are_measured_and_said_to_be_that(network: Path) -> None:
    measured = measure_network(network, samples=None, **ONNX)
    assert [point.shapes for point in measured.inference] == ["x 1x64x64"]
    assert measured.notes[0] == "inputs are random numbers, not real ones"


def test_a_file_that_no_runtime_takes_is_refused(samples: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(bytes(100))
    with pytest.raises(RuntimeFailed, match=r"broken\.onnx"):
        measure_network(broken, samples=samples, **ONNX)
    with pytest.raises(RuntimeFailed, match="no such file"):
        measure_network(tmp_path / "missing.onnx", samples=samples, **ONNX)
