"""Samples of a network that hands on a state, and inputs nobody gave."""

from __future__ import annotations

import hashlib
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.catalog.networks import source_to_json
from edgeshrink.catalog.sample_gathering import LIMIT_BYTES
from edgeshrink.catalog.samples import load_samples
from edgeshrink.core.events import Progress
from edgeshrink.errors import DataError
from edgeshrink.evaluate.network import evaluate_network, reference_outputs
from edgeshrink.evaluate.network_reference import read_network_reference
from edgeshrink.runtimes.network_facts import facts_to_json, network_facts
from edgeshrink.runtimes.network_samples import prepare_samples, samples_job

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from linear_networks import source_of, value, value_of, write_onnx  # noqa: E402

RNG = np.random.default_rng(7)


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
    told: list[Progress] = []
    index = prepare_samples(
        source,
        facts,
        tmp_path / "frames",
        calibration_count=4,
        evaluation_count=12,
        out=tmp_path,
        log=tmp_path / "samples.log",
        listener=told.append,
    )
    assert {step.task for step in told} == {"samples"} and (tmp_path / "samples.log").is_file()
    assert [(step.done, step.total) for step in told] == [(0, 16), *((done, 17) for done in range(1, 18)), (16, 16)]
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


def test_states_that_are_large_leave_fewer_samples_to_calibrate_and_to_evaluate_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = source_of(counter(tmp_path / "source.onnx", 1.0))
    facts = network_facts(source)
    (tmp_path / "frames").mkdir()
    np.savez(tmp_path / "frames" / "a.npz", x=RNG.standard_normal((20, 1, 2)).astype(np.float32))
    monkeypatch.setitem(LIMIT_BYTES, "calibration", 2 * 16)  # two of a frame and a state of 8 bytes each
    monkeypatch.setitem(LIMIT_BYTES, "evaluation", 3 * 16)
    parameters = {"source": source_to_json(source), "facts": facts_to_json(facts), "folder": str(tmp_path / "frames")}
    parameters |= {"calibration": 4, "evaluation": 12, "seed": 0, "out": str(tmp_path)}
    index: Any = samples_job(parameters, lambda event: None)  # as the child does it
    assert (index["calibration"]["count"], index["evaluation"]["count"]) == (2, 3)
    assert (
        index["calibration"]["origin"].startswith("2 of 5 samples, in order")
        and "4 would be" in index["calibration"]["origin"]
    )
    assert (
        index["evaluation"]["origin"].startswith("3 samples, in order")
        and "12 would be" in index["evaluation"]["origin"]
    )
    for name, file in (("calibration", "calibration.npz"), ("evaluation", "evaluation.npz")):
        assert index[name]["sha256"] == hashlib.sha256((tmp_path / file).read_bytes()).hexdigest()
