"""What is predicted of a network's file, against files of the same network and against the rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgeshrink.core.network import NetworkFacts, NetworkSource, Port
from edgeshrink.core.plan import Predictions
from edgeshrink.core.reading import Estimate, Unmeasured
from edgeshrink.errors import PlanError
from edgeshrink.planning.networks import activation_bytes, artifact_bytes, network_schemes, predict_network

RESNET20 = NetworkFacts(
    source=NetworkSource("function", "resnet", Path("resnet.py"), entry="resnet:make"),
    name="resnet20",
    family="module",
    inputs=(Port("pixel_values", "float32", (1, 3, 32, 32)),),
    outputs=(Port("logits", "float32", (1, 10)),),
    parameters=269722,
    weight_elements=268336,
    dtype="F32",
)
ENCODER = replace(
    RESNET20,
    name="encoder",
    family="bert",
    inputs=tuple(Port(name, "int64", (1, "sequence")) for name in ("input_ids", "attention_mask", "token_type_ids")),
    outputs=(Port("last_hidden_state", "float32", (1, "sequence", 384)), Port("pooler_output", "float32", (1, 384))),
    parameters=12528768,
    weight_elements=12497664,
    limits=(("sequence", 1, 512),),
)
# Bytes of files that edgeshrink wrote (torch 2.13, onnxruntime 1.31), and the resident peak of a process that ran them.
ONNX_FILES = {
    ("resnet20", "fp32"): (1087691, 64.7),
    ("resnet20", "fp16"): (547922, 65.0),
    ("resnet20", "int8"): (314849, 62.7),
    ("resnet20", "int8-dynamic"): (289255, 61.9),
    ("resnet20", "int8-weight"): (289051, 61.6),
    ("encoder", "fp32"): (50064253, 121.1),
    ("encoder", "fp16"): (25047113, 146.4),
    ("encoder", "int8"): (12722979, 95.1),
    ("encoder", "int8-dynamic"): (12732960, 96.9),
    ("encoder", "int8-weight"): (12681291, 107.4),
}
FACTS = {facts.name: facts for facts in (RESNET20, ENCODER)}


def value(predictions: Predictions, name: str) -> float:
    found = getattr(predictions, name)
    assert isinstance(found, Estimate)
    return found.value


@pytest.mark.parametrize(("network", "scheme"), list(ONNX_FILES))
def test_onnx_bytes_and_memory_are_those_of_files_that_were_written(network: str, scheme: str) -> None:
    nbytes, resident = ONNX_FILES[network, scheme]
    found = predict_network(FACTS[network], format="onnx", scheme=scheme)
    assert value(found, "artifact_bytes") == pytest.approx(nbytes, rel=0.02)
    assert value(found, "peak_rss_bytes") == pytest.approx(resident * 2**20, rel=0.15)


@pytest.mark.parametrize(("network", "mib"), [("resnet20", 422), ("encoder", 752)])
def test_the_exporting_process_fits_what_is_asked_of_the_host(network: str, mib: int) -> None:
    found = predict_network(FACTS[network], format="onnx", scheme="int8")
    assert value(found, "host_ram_bytes") == pytest.approx(mib * 2**20, rel=0.2)


def test_a_file_as_the_source_needs_no_torch() -> None:
    given = replace(ENCODER, source=NetworkSource("onnx", "encoder.onnx", Path("encoder.onnx")))
    from_torch = predict_network(ENCODER, format="onnx", scheme="int8")
    from_file = predict_network(given, format="onnx", scheme="int8")
    assert value(from_file, "host_ram_bytes") < value(from_torch, "host_ram_bytes") - 200e6


@pytest.mark.parametrize("format", ["onnx", "executorch"])
def test_fewer_bits_are_fewer_bytes_and_nothing_is_said_of_speed(format: str) -> None:
    schemes = network_schemes(format)
    sizes = [artifact_bytes(ENCODER, format=format, scheme=scheme) for scheme in schemes]
    assert min(sizes) * 3.9 < sizes[schemes.index("fp32")] == max(sizes)
    for scheme in schemes:
        found = predict_network(ENCODER, format=format, scheme=scheme)
        assert isinstance(found.decode_tok_s, Unmeasured) and "tokens" in found.decode_tok_s.reason
        assert isinstance(found.ttft_p95_ms, Unmeasured)
        assert value(found, "peak_rss_bytes") > value(found, "artifact_bytes")
        assert value(found, "host_disk_bytes") >= 2 * value(found, "artifact_bytes")
        assert value(found, "build_s") > 30


def test_memory_grows_with_the_length_that_the_network_takes() -> None:
    short = replace(ENCODER, limits=(("sequence", 1, 16),))
    assert 4 * activation_bytes(short) < activation_bytes(ENCODER) < 32 << 20


def test_a_batch_that_varies_is_predicted_for_one_sample() -> None:
    batched = replace(RESNET20, inputs=(Port("pixel_values", "float32", ("batch", 3, 32, 32)),))
    assert activation_bytes(batched) == activation_bytes(RESNET20)


def test_what_there_is_not_is_refused_with_the_list() -> None:
    with pytest.raises(PlanError) as wrong:
        predict_network(RESNET20, format="executorch", scheme="fp16")
    assert "int8-dynamic" in wrong.value.hint
    with pytest.raises(PlanError):
        predict_network(RESNET20, format="gguf", scheme="int8")
