"""Layer errors against quantizing that one layer and running the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.compress.networks.quantize import quantize_onnx
from edgeshrink.compress.networks.sensitivity import onnx_layer_errors
from edgeshrink.errors import UnsupportedModel, UsageError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from models.small_onnx import cosine, images, run, save, sentences, write_attention, write_convolutions  # noqa: E402

CONVOLUTIONS = {"stem", "body", "tail", "head"}
ATTENTION = {"look_up", "query", "key", "value", "up", "down"}


def relative_error(exact: list[Any], found: list[Any]) -> float:
    noise = sum(float(np.sum((one - two) ** 2)) for one, two in zip(exact, found, strict=True))
    return noise / sum(float(np.sum(one**2)) for one in exact)


@pytest.fixture(scope="module")
def attention(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_attention(tmp_path_factory.mktemp("attention") / "float.onnx")


@pytest.mark.parametrize("scheme", ["int8-weight", "int8-dynamic"])
def test_an_error_is_that_of_the_file_with_one_layer_quantized(attention: Path, tmp_path: Path, scheme: str) -> None:
    some = sentences(6)
    found = onnx_layer_errors(attention, scheme=scheme, samples=save(tmp_path / "s.npz", some))
    assert {layer.name for layer in found} == ATTENTION
    exact = run(attention, some)
    for layer in found:
        if layer.name not in ("look_up", "key", "down"):
            continue
        out = tmp_path / "one.onnx"
        quantize_onnx(attention, out, scheme=scheme, keep=tuple(sorted(ATTENTION - {layer.name})))
        # onnxruntime rounds the activations of a weight-only product, too.
        assert layer.error == pytest.approx(relative_error(exact, run(out, some)), rel=0.6)


def test_calibrated_int8_finds_the_layer_with_an_outlier(tmp_path: Path) -> None:
    some = save(tmp_path / "s.npz", images(8))
    plain = write_convolutions(tmp_path / "plain.onnx")
    spoiled = write_convolutions(tmp_path / "spoiled.onnx", outlier=300.0)
    before = onnx_layer_errors(plain, scheme="int8", samples=some, per_channel=False)
    after = onnx_layer_errors(spoiled, scheme="int8", samples=some, per_channel=False)
    assert {layer.name for layer in before} == {layer.name for layer in after} == CONVOLUTIONS
    assert after[0].name == "body"
    assert after[0].error > 10 * after[1].error
    assert after[0].operator == "Conv"
    errors = [layer.error for layer in after]
    assert errors == sorted(errors, reverse=True)
    assert not any(layer.kept_float for layer in after)


def test_keeping_the_worst_layer_brings_the_network_back(tmp_path: Path) -> None:
    feeds = images(8)
    some = save(tmp_path / "s.npz", feeds)
    spoiled = write_convolutions(tmp_path / "spoiled.onnx", outlier=300.0)
    worst = onnx_layer_errors(spoiled, scheme="int8", samples=some, per_channel=False)[0]
    exact, errors = run(spoiled, feeds), []
    for keep in ((), (worst.name,)):
        quantize_onnx(spoiled, tmp_path / "out.onnx", scheme="int8", keep=keep, samples=some, per_channel=False)
        errors.append(relative_error(exact, run(tmp_path / "out.onnx", feeds)))
    assert errors[1] < 0.7 * errors[0]


def test_the_layer_that_reads_the_outliers_comes_first_and_keeping_it_mends(tmp_path: Path) -> None:
    """One channel is 2000 times as large where `body` reads it; `stem`, which makes it, has a scale a channel."""
    feeds = images(8)
    some = save(tmp_path / "s.npz", feeds)
    loud = write_convolutions(tmp_path / "loud.onnx")
    model = onnx.load(str(loud))
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor).copy()
        if tensor.name in ("first", "first_bias"):
            values[0] *= 2000
        elif tensor.name == "second":
            values[:, 0] /= 2000
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(model, str(loud))
    errors = onnx_layer_errors(loud, scheme="int8", samples=some)
    assert errors[0].name == "body" and errors[0].error > 50 * errors[1].error
    out, exact = tmp_path / "out.onnx", run(loud, feeds)
    found = {}
    for keep in ((), *((layer.name,) for layer in errors)):
        quantize_onnx(loud, out, scheme="int8", keep=keep, samples=some)
        found[keep] = cosine(exact, run(out, feeds))
    assert found[()] < 0.9 and found["body",] >= 0.99, found
    assert max(found, key=lambda keep: found[keep]) == ("body",)


def test_half_precision_loses_little_and_float_nothing(attention: Path, tmp_path: Path) -> None:
    some = save(tmp_path / "s.npz", sentences(4))
    assert all(layer.error < 1e-5 for layer in onnx_layer_errors(attention, scheme="fp16", samples=some))
    assert onnx_layer_errors(attention, scheme="fp32", samples=some) == ()


def test_layers_inside_control_flow_are_found(shared_data: Path, tmp_path: Path) -> None:
    given = shared_data / "audio" / "silero_vad_op18_ifless.onnx"
    draw = np.random.default_rng(0)
    feeds = [
        {
            "input": 0.1 * draw.standard_normal((1, 576)).astype(np.float32),
            "sr": np.array(16000),
            "state": draw.standard_normal((2, 1, 128)).astype(np.float32),
        }
        for _ in range(4)
    ]
    some = save(tmp_path / "s.npz", feeds)
    found = onnx_layer_errors(given, scheme="int8-weight", samples=some)
    assert {layer.operator for layer in found} == {"Conv", "Gemm"}
    # The branch for 8 kHz did not run.
    assert sum(layer.error > 0 for layer in found) == sum(layer.error == 0 for layer in found) == 8
    with pytest.raises(UnsupportedModel, match="inside If"):
        onnx_layer_errors(given, scheme="int8", samples=some)


def test_int8_needs_samples(attention: Path) -> None:
    with pytest.raises(UsageError):
        onnx_layer_errors(attention, scheme="int8", samples=None)  # type: ignore[arg-type]
