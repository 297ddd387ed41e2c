"""Quantized ONNX networks, run by onnxruntime, against the float file."""

from __future__ import annotations

import io
import tarfile
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeshrink.compress.networks.quantize import SCHEMES, quantize_onnx
from edgeshrink.core.events import Progress
from edgeshrink.errors import DataError, PlanError, UnsupportedModel, UsageError

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from models.small_onnx import (  # noqa: E402
    cosine,
    images,
    run,
    save,
    sentences,
    write_attention,
    write_convolutions,
)

INTEGER = ("int8", "int8-dynamic", "int8-weight")
# Smallest cosine to the float network on samples that calibration has not seen. Weights and biases are drawn from
# one distribution; int8 rounds every activation too.
FLOORS = {"int8": 0.995, "int8-dynamic": 0.999, "int8-weight": 0.999, "fp16": 0.99999, "fp32": 1 - 1e-9}


@pytest.fixture(scope="module")
def convolutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("convolutions")
    save(folder / "samples.npz", images(24))
    return write_convolutions(folder / "float.onnx")


@pytest.fixture(scope="module")
def attention(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attention")
    save(folder / "samples.npz", sentences(24))
    return write_attention(folder / "float.onnx")


def nodes(file: Path, operator: str) -> list[Any]:
    return [node for node in onnx.load(str(file)).graph.node if node.op_type == operator]


def sums(file: Path, name: str) -> NDArray[Any]:
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(str(file)).graph.initializer}
    return np.asarray(tensors[name])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_convolutions_stay_near_the_float_network(convolutions: Path, tmp_path: Path, scheme: str) -> None:
    out = tmp_path / "out.onnx"
    quantize_onnx(convolutions, out, scheme=scheme, samples=convolutions.with_name("samples.npz"))
    some = images(20, seed=99)
    assert cosine(run(convolutions, some), run(out, some)) >= FLOORS[scheme]
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    (image,), (scores,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(float)", ["batch", 3, 16, 16])
    assert (scores.name, scores.type, scores.shape[1]) == ("scores", "tensor(float)", 10)
    batch = {"image": np.concatenate([entry["image"] for entry in some[:5]])}
    assert run(out, [batch])[0].shape == (5, 10)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_attention_keeps_its_dynamic_length(attention: Path, tmp_path: Path, scheme: str) -> None:
    out = tmp_path / "out.onnx"
    quantize_onnx(attention, out, scheme=scheme, samples=attention.with_name("samples.npz"))
    some = [*sentences(10, seed=98), {"ids": np.arange(1)[None]}, {"ids": np.arange(200)[None]}]
    found = run(out, some)
    assert cosine(run(attention, some), found) >= FLOORS[scheme]
    assert [array.shape[1] for array in found] == [entry["ids"].shape[1] for entry in some]


@pytest.mark.parametrize("scheme", INTEGER)
def test_weights_take_a_byte_each(convolutions: Path, attention: Path, tmp_path: Path, scheme: str) -> None:
    for given in (convolutions, attention):
        out = tmp_path / "out.onnx"
        quantize_onnx(given, out, scheme=scheme, samples=given.with_name("samples.npz"))
        floats = [
            (tensor.name, list(tensor.dims))
            for tensor in onnx.load(str(out)).graph.initializer
            if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) >= 400 and tensor.dims[-1] > 1
        ]
        assert floats == []
        assert given.stat().st_size / out.stat().st_size > 2


def test_calibrated_int8_runs_on_integer_kernels_from_end_to_end(convolutions: Path, tmp_path: Path) -> None:
    out, optimized = tmp_path / "out.onnx", tmp_path / "optimized.onnx"
    quantize_onnx(convolutions, out, scheme="int8", samples=convolutions.with_name("samples.npz"))
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(optimized)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(out), options, providers=["CPUExecutionProvider"])
    operators = [node.op_type for node in onnx.load(str(optimized)).graph.node]
    assert operators.count("QLinearConv") == 3
    assert "QGemm" in operators
    assert "QLinearAdd" in operators
    assert not {"Conv", "FusedConv", "Gemm"} & set(operators)


def test_attention_and_norms_stay_float(attention: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    quantize_onnx(attention, out, scheme="int8", samples=attention.with_name("samples.npz"))
    made = {output: node for node in onnx.load(str(out)).graph.node for output in node.output}
    by_name = {node.name: node for node in made.values()}
    for name in ("similarity", "mix", "softmax", "norm", "residual"):
        before = [made[source].op_type for source in by_name[name].input if source in made]
        assert "DequantizeLinear" not in before
    for name in ("query", "up", "down"):
        assert [made[source].op_type for source in by_name[name].input] == ["DequantizeLinear"] * 2


def test_asymmetric_activations_are_uint8_and_symmetric_ones_int8_around_zero(
    convolutions: Path, tmp_path: Path
) -> None:
    samples, out = convolutions.with_name("samples.npz"), tmp_path / "out.onnx"
    for symmetric, kind in ((False, np.uint8), (True, np.int8)):
        quantize_onnx(convolutions, out, scheme="int8", samples=samples, symmetric_activations=symmetric)
        points = [sums(out, node.input[2]) for node in nodes(out, "QuantizeLinear")]
        assert points and all(point.dtype == kind for point in points)
        assert any(point.any() for point in points) is not symmetric
        some = images(10, seed=97)
        assert cosine(run(convolutions, some), run(out, some)) >= FLOORS["int8"]


@pytest.mark.parametrize("scheme", ["int8", "int8-weight"])
def test_a_scale_for_each_channel_or_one_for_all(convolutions: Path, tmp_path: Path, scheme: str) -> None:
    samples, out = convolutions.with_name("samples.npz"), tmp_path / "out.onnx"
    for per_channel, count in ((True, 32), (False, 1)):
        quantize_onnx(convolutions, out, scheme=scheme, samples=samples, per_channel=per_channel)
        (body,) = (node for node in nodes(out, "Conv") if node.name == "body")
        (made,) = (node for node in nodes(out, "DequantizeLinear") if body.input[1] in node.output)
        assert sums(out, made.input[1]).size == count


@pytest.mark.parametrize("scheme", ["int8", "int8-dynamic", "int8-weight"])
def test_layers_that_are_kept_compute_in_float(attention: Path, tmp_path: Path, scheme: str) -> None:
    out, keep = tmp_path / "out.onnx", ("look_up", "query", "key", "value", "up", "down")
    quantize_onnx(attention, out, scheme=scheme, keep=keep, samples=attention.with_name("samples.npz"))
    some = sentences(5, seed=96)
    for one, two in zip(run(attention, some), run(out, some), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
    quantize_onnx(attention, out, scheme=scheme, keep=("query",), samples=attention.with_name("samples.npz"))
    (query,) = (node for node in onnx.load(str(out)).graph.node if node.name == "query")
    np.testing.assert_array_equal(sums(out, query.input[1]), sums(attention, "query"))


def test_dynamic_products_are_those_of_onnxruntimes_own_quantizer(attention: Path, tmp_path: Path) -> None:
    from onnxruntime.quantization import quantize_dynamic

    theirs, ours = tmp_path / "theirs.onnx", tmp_path / "ours.onnx"
    quantize_onnx(attention, ours, scheme="int8-dynamic", keep=("look_up",))
    import logging

    logging.disable(logging.WARNING)
    try:
        quantize_dynamic(str(attention), str(theirs), op_types_to_quantize=["MatMul"], per_channel=True)
    finally:
        logging.disable(logging.NOTSET)
    some = sentences(8, seed=95)
    exact = run(attention, some)
    ours_off = 1 - cosine(exact, run(ours, some))
    theirs_off = 1 - cosine(exact, run(theirs, some))
    assert ours_off == pytest.approx(theirs_off, rel=0.3)
    assert cosine(run(theirs, some), run(ours, some)) > 0.9999


def test_an_old_opset_is_lifted(shared_data: Path, tmp_path: Path) -> None:
    given, out = shared_data / "vision" / "mnist.onnx", tmp_path / "out.onnx"
    draw = np.random.default_rng(0)
    digits = [{"Input3": 255 * draw.random((1, 1, 28, 28), dtype=np.float32)} for _ in range(12)]
    samples = save(tmp_path / "samples.npz", digits[:8])
    wanted = run(given, digits[8:])
    for scheme in SCHEMES:
        quantize_onnx(given, out, scheme=scheme, samples=samples)
        assert cosine(wanted, run(out, digits[8:])) >= 0.998


def test_the_report_gets_stages_notes_and_progress(convolutions: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    samples = convolutions.with_name("samples.npz")
    times = quantize_onnx(convolutions, tmp_path / "out.onnx", scheme="int8", samples=samples, listener=seen.append)
    assert "relative error" in times.notes[0]
    assert seen[-1].task == "quantize int8: check and write"
    counted = [entry for entry in seen if entry.total]
    assert counted[-1].done == counted[-1].total == 48
    assert {(entry.task, entry.unit) for entry in counted} == {("quantize int8: calibrate and quantize", "samples")}
    assert times.peak_rss_bytes and times.seconds > 0


def test_the_same_file_comes_out_twice(convolutions: Path, tmp_path: Path) -> None:
    samples = convolutions.with_name("samples.npz")
    for name in ("one.onnx", "two.onnx"):
        quantize_onnx(convolutions, tmp_path / name, scheme="int8", samples=samples)
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_what_cannot_be_quantized_is_refused_in_words(convolutions: Path, tmp_path: Path) -> None:
    samples, out = convolutions.with_name("samples.npz"), tmp_path / "out.onnx"
    with pytest.raises(PlanError, match="int3"):
        quantize_onnx(convolutions, out, scheme="int3")
    with pytest.raises(UsageError, match="calibration"):
        quantize_onnx(convolutions, out, scheme="int8")
    with pytest.raises(DataError, match="no node is called nobody"):
        quantize_onnx(convolutions, out, scheme="int8-weight", keep=("nobody",))
    with pytest.raises(DataError, match="not a file of samples"):
        quantize_onnx(convolutions, out, scheme="int8", samples=save(tmp_path / "other.npz", sentences(2)))
    flat = save(tmp_path / "flat.npz", [{"image": np.zeros((3, 16), np.float32)}])
    with pytest.raises(DataError, match="2 dimensions"):
        quantize_onnx(convolutions, out, scheme="int8", samples=flat)
    quantize_onnx(convolutions, tmp_path / "small.onnx", scheme="int8", samples=samples)
    with pytest.raises(UnsupportedModel, match="quantized already"):
        quantize_onnx(tmp_path / "small.onnx", out, scheme="int8-weight")
    (tmp_path / "bad.onnx").write_bytes(b"\xff" * 100)
    with pytest.raises(DataError, match="not an ONNX file"):
        quantize_onnx(tmp_path / "bad.onnx", out, scheme="int8-weight")
    assert not list(tmp_path.glob("out.onnx*"))


def test_a_scheme_whose_outputs_are_not_finite_is_refused_and_leaves_the_others(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info
    weight = onnx.numpy_helper.from_array(np.full((8, 4), 1e3, np.float32), "weight")
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("MatMul", ["x", "weight"], ["product"], name="large"),
            onnx.helper.make_node("Flatten", ["product"], ["y"]),  # computed in half: 800 000 is not finite there
        ],
        "g",
        [value("x", 1, [1, 8])],
        [value("y", 1, [1, 4])],
        [weight],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "large.onnx"))
    samples = save(tmp_path / "s.npz", [{"x": np.full((1, 8), 100, np.float32)}])
    with pytest.raises(UnsupportedModel, match=r"fp16: .* not finite"):
        quantize_onnx(tmp_path / "large.onnx", tmp_path / "out.onnx", scheme="fp16", samples=samples)
    quantize_onnx(tmp_path / "large.onnx", tmp_path / "out.onnx", scheme="int8-weight", samples=samples)


def write_loud_channel(file: Path) -> Path:
    """`write_convolutions` with one channel 2000 times as large between `stem` and `body`: the function is the same."""
    model = onnx.load(str(write_convolutions(file)))
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor).copy()
        if tensor.name in ("first", "first_bias"):
            values[0] *= 2000
        elif tensor.name == "second":
            values[:, 0] /= 2000
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(model, str(file))
    return file


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_kept_layer_reads_float_activations(tmp_path: Path, symmetric: bool) -> None:
    given, out, some = write_loud_channel(tmp_path / "loud.onnx"), tmp_path / "out.onnx", images(20, seed=99)
    samples, wanted = save(tmp_path / "samples.npz", images(24)), run(given, some)
    found = {}
    for keep in ((), ("body",), ("body", "head"), ("tail",)):
        quantize_onnx(given, out, scheme="int8", samples=samples, keep=keep, symmetric_activations=symmetric)
        found[keep] = cosine(wanted, run(out, some))
        graph = onnx.load(str(out)).graph
        made = {output: node for node in graph.node for output in node.output}
        read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
        assert set(made) <= read
        for node in graph.node:
            if node.name in keep:
                assert "DequantizeLinear" not in [made[name].op_type for name in node.input if name in made]
    assert found[()] < 0.9 and found["tail",] < 0.9, found
    assert found["body",] >= 0.99 and found["body", "head"] >= 0.99, found


def test_a_network_without_weights_is_refused(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [value("x", 1, [2])], [value("y", 1, [2])]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "relu.onnx"))
    with pytest.raises(UnsupportedModel, match="nothing to quantize"):
        quantize_onnx(tmp_path / "relu.onnx", tmp_path / "out.onnx", scheme="int8-weight")


class Voice:
    """silero VAD over a recording at 16 kHz: 512 new samples a step behind 64 old ones, and the state handed on."""

    def __init__(self, wav: Path, steps: int) -> None:
        with wave.open(str(wav)) as file:
            raw = file.readframes(512 * steps)
        sound = np.frombuffer(raw, np.int16).astype(np.float32) / 32768
        self.frames = np.concatenate([np.zeros(64, np.float32), sound])

    def chances(self, model: Path) -> NDArray[np.float64]:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        state, found = np.zeros((2, 1, 128), np.float32), []
        for start in range(0, len(self.frames) - 64, 512):
            frame = self.frames[None, start : start + 576]
            chance, state = session.run(None, {"input": frame, "sr": np.array(16000), "state": state})
            found.append(float(chance[0, 0]))
        return np.array(found)


@pytest.fixture(scope="module")
def voice(shared_data: Path) -> tuple[Voice, Path, NDArray[np.float64]]:
    given = shared_data / "audio" / "silero_vad_op18_ifless.onnx"
    voice = Voice(shared_data / "audio" / "silero_test.wav", 600)
    return voice, given, voice.chances(given)


@pytest.mark.parametrize(
    ("scheme", "mean", "flipped"), [("int8-dynamic", 0.01, 6), ("int8-weight", 0.01, 6), ("fp16", 0.001, 0)]
)
def test_silero_hears_the_same_speech(
    voice: tuple[Voice, Path, NDArray[np.float64]], tmp_path: Path, scheme: str, mean: float, flipped: int
) -> None:
    sound, given, wanted = voice
    quantize_onnx(given, tmp_path / "vad.onnx", scheme=scheme)
    found = sound.chances(tmp_path / "vad.onnx")
    assert 0.1 < np.mean(wanted > 0.5) < 0.99
    assert np.mean(np.abs(found - wanted)) <= mean
    assert np.sum((found > 0.5) != (wanted > 0.5)) <= flipped
    assert np.vdot(found, wanted) / np.linalg.norm(found) / np.linalg.norm(wanted) >= 0.999
    assert given.stat().st_size / (tmp_path / "vad.onnx").stat().st_size > (2 if scheme == "fp16" else 4)


def test_calibration_inside_control_flow_is_refused_with_the_reason(
    voice: tuple[Voice, Path, NDArray[np.float64]], tmp_path: Path
) -> None:
    feed = {
        "input": np.zeros((1, 576), np.float32),
        "sr": np.array(16000),
        "state": np.zeros((2, 1, 128), np.float32),
    }
    with pytest.raises(UnsupportedModel, match="inside If") as refusal:
        quantize_onnx(voice[1], tmp_path / "vad.onnx", scheme="int8", samples=save(tmp_path / "s.npz", [feed]))
    assert "int8-dynamic" in refusal.value.hint


def test_resnet20_keeps_its_accuracy_in_int8(shared_data: Path, tmp_path: Path) -> None:
    """600 images, none of the 64 that calibrate; 1.0 point is what the issue allows."""
    pytest.importorskip("torch")
    from models import resnet20
    from PIL import Image

    from edgeshrink.core.network import NetworkSource
    from edgeshrink.export.onnx.network import write_onnx_network

    pictures = []
    with tarfile.open(shared_data / "images" / "cifar10-train3000.tar") as archive:
        for label, name in enumerate(resnet20.CLASSES):
            for index in range(67):
                data = archive.extractfile(f"train/{name}/{index:04d}.jpg")
                assert data is not None
                with Image.open(io.BytesIO(data.read())) as picture:
                    pictures.append((index, label, {"pixel_values": resnet20.preprocess(picture)[None]}))
    calibration = [feed for index, _, feed in pictures if index < 7][:64]
    test = [(label, feed) for index, label, feed in pictures if index >= 7]
    assert len(test) == 600
    given, out = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    source = NetworkSource("function", "resnet", Path(resnet20.__file__), entry="models.resnet20:make_model")
    write_onnx_network(given, source)
    quantize_onnx(given, out, scheme="int8", samples=save(tmp_path / "s.npz", calibration))

    def accuracy(file: Path) -> float:
        found = run(file, [feed for _, feed in test])
        return float(np.mean([np.argmax(array) == label for array, (label, _) in zip(found, test, strict=True)]))

    exact = accuracy(given)
    assert exact > 0.75
    assert accuracy(out) >= exact - 0.01
    assert given.stat().st_size / out.stat().st_size >= 3
