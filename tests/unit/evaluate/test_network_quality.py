"""A finished network against its source: distances by hand, checks that see what is wrong, states that are carried."""

from __future__ import annotations

import math
import sys
import tarfile
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.catalog.networks import network_source, source_to_json
from edgeshrink.catalog.samples import Sample, Samples, load_samples, save_samples
from edgeshrink.core.network import NetworkSource
from edgeshrink.core.quality import Check, LayerError, NetworkQuality
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.errors import DataError
from edgeshrink.evaluate.network import evaluate_network, reference_outputs
from edgeshrink.evaluate.network_distances import distances, mean_reading, readings
from edgeshrink.evaluate.network_job import reference_job
from edgeshrink.evaluate.network_reference import read_network_reference
from edgeshrink.runtimes.network_facts import network_facts
from edgeshrink.runtimes.network_samples import prepare_samples

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

FLOAT = onnx.TensorProto.FLOAT
RNG = np.random.default_rng(7)
WEIGHT = RNG.standard_normal((4, 3)).astype(np.float32)


def value(name: str, shape: list[Any]) -> Any:
    return onnx.helper.make_tensor_value_info(name, FLOAT, shape)


def write_onnx(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], **weights: Any) -> Path:
    tensors = [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    graph = onnx.helper.make_graph(nodes, "net", inputs, outputs, tensors)
    opset = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), str(path))
    return path


def linear(path: Path, weight: Any, *, rows: Any = "rows", output: str = "y", then: str = "Identity") -> Path:
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "w"], ["h"]),
        onnx.helper.make_node(then, ["h"], [output]),
    ]
    return write_onnx(path, nodes, [value("x", [rows, 4])], [value(output, [rows, 3])], w=weight)


def source_of(path: Path) -> NetworkSource:
    source = network_source(str(path))
    assert source is not None
    return source


def check(quality: NetworkQuality, name: str) -> Check:
    return next(check for check in quality.checks if check.name == name)


def value_of(reading: Any) -> float:
    assert isinstance(reading, Measured), reading
    return reading.value


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


def counter(path: Path, step: float) -> Path:
    """state' = 0.5 state + step * x; y = state'."""
    nodes = [
        onnx.helper.make_node("Mul", ["state", "half"], ["kept"]),
        onnx.helper.make_node("Mul", ["x", "step"], ["new"]),
        onnx.helper.make_node("Add", ["kept", "new"], ["stateN"]),
        onnx.helper.make_node("Identity", ["stateN"], ["y"]),
    ]
    return write_onnx(
        path,
        nodes,
        [value("x", [1, 2]), value("state", [1, 2])],
        [value("y", [1, 2]), value("stateN", [1, 2])],
        half=np.float32(0.5),
        step=np.float32(step),
    )


def test_states_are_carried_through_a_sequence_and_calibration_holds_the_true_ones(tmp_path: Path) -> None:
    source = source_of(counter(tmp_path / "source.onnx", 1.0))
    frames = RNG.standard_normal((20, 1, 2)).astype(np.float32)
    (tmp_path / "frames").mkdir()
    np.savez(tmp_path / "frames" / "a.npz", x=frames)
    facts = network_facts(source)
    index = prepare_samples(source, facts, tmp_path / "frames", calibration_count=4, evaluation_count=12, out=tmp_path)
    assert (index["calibration"]["count"], index["evaluation"]["count"]) == (4, 12)
    states = [np.zeros((1, 2), np.float32)]
    for frame in frames:
        states.append(np.float32(0.5) * states[-1] + frame)
    first, second = (
        load_samples(tmp_path / f"{name}.npz", names=["x", "state"]) for name in ("calibration", "evaluation")
    )
    places = [
        next(at for at, frame in enumerate(frames) if (frame == sample.arrays["x"]).all()) for sample in first.items
    ]
    assert len(set(places)) == 4 and max(places) < 5
    for place, sample in zip(places, first.items, strict=True):
        np.testing.assert_allclose(sample.arrays["state"], states[place], rtol=1e-6)
    np.testing.assert_allclose(second.items[0].arrays["state"], states[5], rtol=1e-6)
    assert [sample.begins for sample in second.items] == [True] + [False] * 11
    (tmp_path / "reference").mkdir()
    reference_outputs(source, tmp_path / "evaluation.npz", tmp_path / "reference", threads=1)
    with read_network_reference(tmp_path / "reference").open_outputs() as stored:
        for place in range(12):
            np.testing.assert_allclose(stored[place]["y"], states[5 + place + 1], rtol=1e-5)
    quality = evaluate_network(
        counter(tmp_path / "other.onnx", 1.5),
        runtime="onnx",
        delegate="cpu",
        reference=tmp_path / "reference",
        samples=tmp_path / "evaluation.npz",
        source=source,
        threads=1,
    )
    own = [states[5]]
    for frame in frames[5:17]:
        own.append(np.float32(0.5) * own[-1] + np.float32(1.5) * frame)
    drift = max(float(np.abs(a - b).max()) for a, b in zip(own[1:], states[6:18], strict=True))
    assert value_of(quality.max_difference) == pytest.approx(drift, rel=1e-4)


def test_the_voice_detector_is_run_over_real_speech_with_its_state(tmp_path: Path, shared_data: Path) -> None:
    with wave.open(str(shared_data / "audio" / "silero_test.wav")) as file:
        assert file.getframerate() == 16000
        sound = np.frombuffer(file.readframes(512 * 400), np.int16).astype(np.float32) / 32768
    frames = sound.reshape(-1, 512)
    before = np.concatenate([np.zeros((1, 64), np.float32), frames[:-1, -64:]])  # its authors' context of 64 samples
    windows = np.concatenate([before, frames], axis=1)[:, None]
    (tmp_path / "speech").mkdir()
    np.savez(tmp_path / "speech" / "test.npz", input=windows, sr=np.int64(16000))
    source = source_of(shared_data / "audio" / "silero_vad_op18_ifless.onnx")
    prepare_samples(
        source, network_facts(source), tmp_path / "speech", calibration_count=40, evaluation_count=200, out=tmp_path
    )
    (tmp_path / "reference").mkdir()
    reference_outputs(source, tmp_path / "evaluation.npz", tmp_path / "reference", threads=1)
    session = ort.InferenceSession(str(source.path), providers=["CPUExecutionProvider"])
    state, expected = np.zeros((2, 1, 128), np.float32), []
    for window in windows:
        speech, state = session.run(["output", "stateN"], {"input": window, "sr": np.array(16000), "state": state})
        expected.append(float(speech[0, 0]))
    start = len(windows) * 40 // 240
    with read_network_reference(tmp_path / "reference").open_outputs() as stored:
        found = [float(stored[place]["output"][0, 0]) for place in range(200)]
    np.testing.assert_allclose(found, expected[start : start + 200], atol=1e-5)
    assert max(found) > 0.9  # there is speech in it


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


def test_random_inputs_that_a_network_cannot_take_ask_for_real_ones(tmp_path: Path) -> None:
    index = onnx.helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, [1, 3])
    source = source_of(
        write_onnx(
            tmp_path / "table.onnx",
            [onnx.helper.make_node("Gather", ["w", "ids"], ["y"])],
            [index],
            [value("y", [1, 3, 2])],
            w=np.ones((2, 2), np.float32),
        )
    )
    with pytest.raises(DataError, match="does not run on random inputs") as caught:
        prepare_samples(source, network_facts(source), None, calibration_count=2, evaluation_count=2, out=tmp_path)
    assert "--calibration" in caught.value.hint


def test_the_worst_output_counts_and_zero_outputs_are_no_division_by_zero() -> None:
    one = {"a": np.array([[3.0, 4.0]]), "b": np.array([[1.0, 0.0]]), "n": np.array([7])}
    two = {"a": np.array([[3.0, 4.0]]), "b": np.array([[0.0, 1.0]]), "n": np.array([8])}
    found = distances(one, two)
    assert found.cosine == 0.0 and found.difference == {"a": 0.0, "b": 1.0} and found.top is None
    zeros = {"a": np.zeros((1, 3))}
    assert distances(zeros, zeros).cosine == 1.0
    assert distances(zeros, {"a": np.ones((1, 3))}).cosine == 0.0
    figures = readings([distances(zeros, zeros)] * 3, in_order=False)
    assert isinstance(figures.sqnr_db, Unmeasured)
    assert isinstance(readings([], in_order=False).cosine_mean, Unmeasured)


def test_a_share_has_a_wilson_interval_and_scores_a_bootstrap_one() -> None:
    shared = mean_reading([1.0] * 8 + [0.0] * 2, in_order=False)
    assert isinstance(shared, Measured) and "Wilson" in shared.how and shared.low == pytest.approx(0.4902, abs=1e-3)
    scored = mean_reading(np.linspace(0.1, 0.9, 50), in_order=False)
    assert isinstance(scored, Measured) and scored.low is not None and scored.high is not None
    error = np.std(np.linspace(0.1, 0.9, 50)) / math.sqrt(50)
    assert scored.high - scored.low == pytest.approx(2 * 1.96 * error, rel=0.15)
    assert isinstance(mean_reading([0.5, math.nan], in_order=False), Unmeasured)


def test_samples_that_are_not_the_references_are_not_compared(examined: Any, tmp_path: Path) -> None:
    save_samples(tmp_path / "s.npz", Samples((Sample({"x": np.ones((1, 4), np.float32)}),), "another"))
    with pytest.raises(DataError, match="other samples"):
        examined(examined.source.path, samples=tmp_path / "s.npz")
