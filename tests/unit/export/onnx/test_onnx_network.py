"""Networks as float32 ONNX, run by onnxruntime, against torch eager or the file that was given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.core.network import NetworkSource
from edgeshrink.errors import DataError, ParityError, UnsupportedModel
from edgeshrink.export.onnx.network import write_onnx_network

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from models.small_onnx import images, run, write_convolutions  # noqa: E402


def from_file(path: Path) -> NetworkSource:
    return NetworkSource("onnx", str(path), path)


def opened(path: Path) -> Any:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@dataclass(frozen=True)
class Encoder:
    folder: Path
    file: Path


@pytest.fixture(scope="module")
def encoder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """A small BERT with a random tokenizer, exported once."""
    pytest.importorskip("torch")
    from models.minilm import write_minilm

    work = tmp_path_factory.mktemp("encoder")
    text = shared_data / "text" / "tinyshakespeare.txt"
    folder = write_minilm(work / "hf", text, layers=2, hidden=64, heads=4, middle=128, vocab=300, positions=64)
    file = work / "encoder.onnx"
    write_onnx_network(file, NetworkSource("huggingface", str(folder), folder))
    return Encoder(folder, file)


@pytest.mark.parametrize("length", [1, 7, 64])
def test_an_encoder_computes_what_transformers_computes_at_any_length(encoder: Encoder, length: int) -> None:
    import torch
    from transformers import BertModel

    module = BertModel.from_pretrained(encoder.folder).eval()
    ids = np.random.default_rng(length).integers(5, 300, (1, length))
    mask = np.ones_like(ids)
    mask[0, length // 2 + 1 :] = 0
    with torch.no_grad():
        wanted = module(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask)).last_hidden_state.numpy()
    session = opened(encoder.file)
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    found = dict(zip([port.name for port in session.get_outputs()], session.run(None, feed), strict=True))
    assert np.max(np.abs(found["last_hidden_state"] - wanted)) <= 1e-4


def test_names_and_dynamic_dimensions_are_the_sources(encoder: Encoder) -> None:
    session = opened(encoder.file)
    assert [(port.name, port.shape) for port in session.get_inputs()] == [
        (name, [1, "sequence"]) for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    assert session.get_outputs()[0].name == "last_hidden_state"
    assert session.get_outputs()[0].shape == [1, "sequence", 64]


def test_layers_are_called_as_the_sources_modules(encoder: Encoder) -> None:
    names = {node.name for node in onnx.load(str(encoder.file)).graph.node}
    assert {"embeddings.word_embeddings", "encoder.layer.1.attention.self.query", "pooler.dense"} <= names


def test_nothing_of_this_machine_stands_in_the_file(encoder: Encoder) -> None:
    data = encoder.file.read_bytes()
    assert b"site-packages" not in data
    assert str(encoder.folder).encode() not in data


def test_a_function_is_exported_with_its_batch_norms_folded(shared_data: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from models import resnet20

    stages: list[str] = []
    source = NetworkSource("function", "resnet", Path(resnet20.__file__), entry="models.resnet20:make_model")
    times = write_onnx_network(tmp_path / "r.onnx", source, listener=lambda progress: stages.append(progress.task))
    network = resnet20.make_model()
    image = torch.randn((1, 3, 32, 32), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        wanted = network.module(image).numpy()
    found = opened(tmp_path / "r.onnx").run(["logits"], {"pixel_values": image.numpy()})[0]
    assert np.max(np.abs(found - wanted)) <= 1e-4
    nodes = onnx.load(str(tmp_path / "r.onnx")).graph.node
    assert not [node for node in nodes if node.op_type == "BatchNormalization"]
    assert "layer2.0.conv1" in {node.name for node in nodes}
    assert [f"export .onnx: {name}" for name, _ in times.stages] == stages
    assert times.peak_rss_bytes and times.peak_rss_bytes > 50 << 20


def test_a_module_that_draws_at_random_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    code = """
import torch
from edgeshrink.core.network import TorchNetwork
class Noise(torch.nn.Module):
    def forward(self, x):
        return x + torch.rand_like(x)
def make():
    return TorchNetwork(Noise().eval(), {"x": torch.ones(1, 4)})
"""
    (tmp_path / "noise_module.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    source = NetworkSource("function", "noise", tmp_path / "noise_module.py", entry="noise_module:make")
    with pytest.raises(ParityError, match="differs from the module"):
        write_onnx_network(tmp_path / "noise.onnx", source)
    assert not list(tmp_path.glob("noise.onnx*"))


@pytest.mark.parametrize("logged", [True, False])
def test_control_flow_that_depends_on_values_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: bool
) -> None:
    pytest.importorskip("torch")
    code = """
import torch
from edgeshrink.core.network import TorchNetwork
class Branch(torch.nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x + 1
        return x
def make():
    return TorchNetwork(Branch().eval(), {"x": torch.ones(1, 4)})
"""
    file, log = tmp_path / "branch_module.py", tmp_path / "export.log"
    file.write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    source = NetworkSource("function", "branch", file, entry="branch_module:make")
    with pytest.raises(UnsupportedModel, match="data-dependent") as refusal:
        write_onnx_network(tmp_path / "branch.onnx", source, log=log if logged else None)
    message, hint = refusal.value.message, refusal.value.hint
    assert "Next steps" not in message and "\n" not in message and "\x1b" not in message
    assert "branch_module.py, line 6: if x.sum() > 0:" in message
    assert ("log" in hint) is (str(log) in hint) is logged
    if logged:
        assert "Traceback" in log.read_text(encoding="utf-8")


def test_an_onnx_file_is_copied_and_computes_the_same(tmp_path: Path) -> None:
    given = write_convolutions(tmp_path / "given.onnx")
    times = write_onnx_network(tmp_path / "copy.onnx", from_file(given))
    some = images(3)
    for one, two in zip(run(given, some), run(tmp_path / "copy.onnx", some), strict=True):
        np.testing.assert_array_equal(one, two)
    assert "opset 17" in times.notes[0]


def test_external_data_comes_inside(tmp_path: Path) -> None:
    given = write_convolutions(tmp_path / "given.onnx")
    some = images(2)
    wanted = run(given, some)
    (tmp_path / "apart").mkdir()
    apart = tmp_path / "apart" / "model.onnx"
    onnx.save(onnx.load(str(given)), str(apart), save_as_external_data=True, location="model.data", size_threshold=0)
    write_onnx_network(tmp_path / "whole.onnx", from_file(apart))
    (tmp_path / "apart" / "model.data").unlink()
    for one, two in zip(wanted, run(tmp_path / "whole.onnx", some), strict=True):
        np.testing.assert_array_equal(one, two)
    with pytest.raises(DataError, match="external data"):
        write_onnx_network(tmp_path / "again.onnx", from_file(apart))
    assert not list(tmp_path.glob("again.onnx*"))


def test_weights_of_an_old_file_are_no_inputs_any_more(shared_data: Path, tmp_path: Path) -> None:
    given = shared_data / "vision" / "mnist.onnx"
    write_onnx_network(tmp_path / "mnist.onnx", from_file(given))
    assert [port.name for port in opened(tmp_path / "mnist.onnx").get_inputs()] == ["Input3"]
    some = [{"Input3": np.random.default_rng(0).random((1, 1, 28, 28), dtype=np.float32)}]
    np.testing.assert_allclose(run(tmp_path / "mnist.onnx", some)[0], run(given, some)[0], rtol=1e-5)


def test_control_flow_and_state_survive(shared_data: Path, tmp_path: Path) -> None:
    given = shared_data / "audio" / "silero_vad_op18_ifless.onnx"
    write_onnx_network(tmp_path / "vad.onnx", from_file(given))
    draw = np.random.default_rng(0)
    feed = {
        "input": draw.standard_normal((1, 576)).astype(np.float32),
        "sr": np.array(16000),
        "state": draw.standard_normal((2, 1, 128)).astype(np.float32),
    }
    np.testing.assert_array_equal(run(tmp_path / "vad.onnx", [feed])[0], run(given, [feed])[0])


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff" * 64, "not an ONNX file"), (b"", "not an ONNX file"), (b"{}" * 100, "not an ONNX file")],
)
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(DataError, match=message):
        write_onnx_network(tmp_path / "out.onnx", from_file(tmp_path / "bad.onnx"))
    assert not list(tmp_path.glob("out.onnx*"))


def test_operators_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    model = onnx.load(str(write_convolutions(tmp_path / "given.onnx")))
    model.graph.node[1].domain = "com.example"
    model.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
    onnx.save(model, str(tmp_path / "custom.onnx"))
    with pytest.raises(UnsupportedModel, match=r"com\.example"):
        write_onnx_network(tmp_path / "out.onnx", from_file(tmp_path / "custom.onnx"))
