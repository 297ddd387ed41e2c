"""Networks as torch modules: from a function, from a Hugging Face folder, and their facts from a child process."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.catalog.networks import network_source
from edgeshrink.core.network import NetworkSource, Port
from edgeshrink.errors import DataError, RuntimeFailed, UnsupportedModel
from edgeshrink.runtimes.network_facts import network_facts

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from edgeshrink.runtimes.torch_network import TorchSession, load  # noqa: E402
from edgeshrink.runtimes.torch_network.facts import facts_of  # noqa: E402

HEADER = """
import torch
from edgeshrink.core.network import TorchNetwork


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 2)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, x, scale=None, flag=False):
        out = self.drop(self.linear(x))
        return out if scale is None else (out, out * scale)


X = torch.ones(1, 4, 3)
"""
_count = 0


def written(folder: Path, body: str) -> NetworkSource:
    """A module with HEADER and `body` in `folder`, which is the current folder; its function is `make`."""
    global _count
    _count += 1
    name = f"nets_{_count}"
    (folder / f"{name}.py").write_text(HEADER + textwrap.dedent(body), encoding="utf-8")
    source = network_source(f"{name}:make")
    assert source is not None
    return source


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_a_module_is_put_into_eval_mode_and_its_ports_are_found(here: Path) -> None:
    network = load(
        written(here, 'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {1: "rows"}}, outputs=("scores",))')
    )
    assert not network.module.training
    assert network.ports == (Port("x", "float32", (1, "rows", 3)),)
    assert network.outputs == (Port("scores", "float32", (1, "rows", 2)),)
    assert network.limits == {"rows": (1, 16)}
    assert network.sized({"rows": 7})["x"].shape == (1, 7, 3)


def test_a_plain_tuple_will_do_and_outputs_get_names(here: Path) -> None:
    network = load(written(here, "make = lambda: (Net(), (X, torch.tensor(2.0)), lambda outputs, label: 0.5)"))
    assert [port.name for port in network.ports] == ["x", "scale"]
    assert [port.name for port in network.outputs] == ["output_0", "output_1"]
    assert network.scorer is not None and network.scorer({}, None) == 0.5
    assert load(written(here, "make = lambda: (Net(), X)")).ports[0].name == "x"


def test_inputs_in_another_order_and_mappings_come_out_flat_and_export(here: Path) -> None:
    source = written(
        here,
        """
        class Rich(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.net = Net()

            def forward(self, a, unused=None, *, b):
                return {"sum": self.net(a) + b, "double": b * 2}


        def make():
            return TorchNetwork(Rich(), {"b": torch.ones(1, 4, 2), "a": X}, {"a": {1: "n"}, "b": {1: "n"}})
        """,
    )
    network = load(source)
    assert [port.name for port in network.outputs] == ["sum", "double"]
    exported = torch.export.export(network.module, network.arguments, dynamic_shapes=network.dynamic_shapes())
    assert list(exported.graph_signature.user_inputs) == ["b", "a"]
    inputs = network.sized({"n": 9})
    with torch.no_grad():
        for one, two in zip(exported.module()(*inputs.values()), network.module(**inputs), strict=True):
            torch.testing.assert_close(one, two)


def test_a_dynamic_size_of_one_is_raised_for_the_exporters(here: Path) -> None:
    network = load(written(here, 'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {0: "batch"}})'))
    assert network.inputs["x"].shape == (2, 4, 3) and network.limits == {"batch": (1, 4)}


WRONG = {
    "import torch_that_is_not_there\nmake = None": r"cannot be imported: ModuleNotFoundError",
    "other = 1": r"has no function make",
    "def make(): raise ValueError('no weights here')": r"make failed: ValueError: no weights here",
    "make = lambda: None": r"returns None",
    "make = lambda: (1, 2, 3, 4)": r"returns a tuple of 4",
    "make = lambda: (len, (X,))": r"no torch.nn.Module",
    "make = lambda: TorchNetwork(Net(), {})": r"the example inputs are a dict",
    'make = lambda: TorchNetwork(Net(), {"x": [1.0]})': r"example input x is a list, no tensor",
    'make = lambda: TorchNetwork(Net(), {"x": X, "z": X})': r"forward has no argument z",
    'make = lambda: TorchNetwork(Net(), {"scale": X})': r"no example for the argument x",
    "make = lambda: (Net(), (X, X, X, X))": r"gives 4 example inputs, and forward takes 3",
    'make = lambda: TorchNetwork(Net(), {"x": torch.ones(1, 5)})': r"does not run on its own example inputs",
    'make = lambda: TorchNetwork(Net(), {"x": X}, outputs=("a", "b"))': r"the module returns 1 tensors",
    'make = lambda: TorchNetwork(Net(), {"x": X}, outputs=("x",))': r"x names both an input and an output",
    'make = lambda: TorchNetwork(Net(), {"x": X}, {"y": {0: "n"}})': r"dynamic names y, which is no input",
    'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {3: "n"}})': r"x has no dimension 3",
    'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {0: "a b"}})': r"expected a plain name",
    'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {1: "n", 2: "n"}})': r"n is 4 in one example input and 3 in x",
    'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {2: "width"}})': r"width is declared dynamic, .* fails with 4",
    'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {1: "n"}}, limits={"m": (1, 2)})': r"limits names m",
    'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {1: "n"}}, limits={"n": (5, 2)})': r"limits of n are",
    "make = lambda: (Net().bfloat16(), X.bfloat16())": r"x is bfloat16, which does not go in or out",
    'make = lambda: TorchNetwork(Net(), {"x": X}, scorer=3)': r"scorer is a int, no function",
}


@pytest.mark.parametrize("body", WRONG)
def test_every_mistake_is_named(here: Path, body: str) -> None:
    with pytest.raises(DataError, match=WRONG[body]):
        load(written(here, body))


def test_outputs_that_are_no_tensors_are_named(here: Path) -> None:
    source = written(
        here,
        """
        class Odd(torch.nn.Module):
            def forward(self, x):
                return x, [x]

        make = lambda: (Odd(), X)
        """,
    )
    with pytest.raises(DataError, match="returns a tuple that holds list"):
        load(source)


def test_a_mistake_in_the_persons_code_says_its_line(here: Path) -> None:
    source = written(here, "def helper():\n    raise KeyError('lost')\n\n\ndef make():\n    return helper()\n")
    with pytest.raises(DataError) as caught:
        load(source)
    line = (source.path.read_text(encoding="utf-8").splitlines()).index("    raise KeyError('lost')") + 1
    assert caught.value.hint == f"{source.path}, line {line}"


def test_the_facts_of_a_function_come_from_a_child(here: Path) -> None:
    (here / "beside.py").write_text("SIZE = 3\n", encoding="utf-8")
    source = written(here, "import beside\nmake = lambda: TorchNetwork(Net(), {'x': X}, {'x': {1: 'rows'}})")
    first = network_facts(source)
    assert (first.parameters, first.weight_elements, first.dtype, first.family) == (8, 6, "F32", "module")
    assert first.outputs == (Port("output_0", "float32", (1, "rows", 2)),) and first.limits == (("rows", 1, 16),)
    assert set(first.files) == {source.path, (here / "beside.py").resolve()}
    assert source.entry.partition(":")[0] not in sys.modules
    text = source.path.read_text(encoding="utf-8")
    source.path.write_text(text.replace("Linear(3, 2)", "Linear(3, 2).double().float()"), encoding="utf-8")
    assert network_facts(source).weights_sha256 != first.weights_sha256  # random weights: others each time


def test_a_function_that_kills_its_process_is_an_error_here(here: Path) -> None:
    source = written(here, "import os\nmake = lambda: os._exit(3)")
    with pytest.raises(RuntimeFailed, match="exited with code 3"):
        network_facts(source)


def test_the_torch_session_runs_and_refuses_wrong_inputs(here: Path) -> None:
    source = written(here, "torch.manual_seed(0)\nmake = lambda: TorchNetwork(Net(), {'x': X}, {'x': {1: 'rows'}})")
    with TorchSession(source, threads=1) as session:
        linear = session.network.module.linear
        x = np.random.default_rng(0).standard_normal((1, 6, 3)).astype(np.float32)
        expected = x @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
        np.testing.assert_allclose(session.run({"x": x})["output_0"], expected, rtol=1e-5, atol=1e-6)
        assert (session.facts().name, session.facts().threads) == ("torch", 1)
        for wrong in ({}, {"x": x.astype(np.float64)}, {"x": x[0]}, {"x": x, "y": x}):
            with pytest.raises(RuntimeFailed):
                session.run(wrong)
    with pytest.raises(RuntimeFailed, match="closed"):
        session.run({"x": x})


TEXT: dict[str, Any] = {"vocab_size": 50, "num_hidden_layers": 1, "num_attention_heads": 2}
WIDE = {"hidden_size": 8, "intermediate_size": 16, "max_position_embeddings": 20}
VISION = {**TEXT, **WIDE, "image_size": 8, "patch_size": 4}
STAGES = {"hidden_sizes": [8, 8], "depths": [1, 1], "embedding_size": 8, "num_labels": 3}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "albert": ("AlbertModel", {**TEXT, **WIDE, "embedding_size": 8}),
    "bert": ("BertForSequenceClassification", {**TEXT, **WIDE, "num_labels": 3}),
    "distilbert": (
        "DistilBertForQuestionAnswering",
        {"vocab_size": 50, "dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 16, "max_position_embeddings": 20},
    ),
    "electra": ("ElectraForTokenClassification", {**TEXT, **WIDE, "embedding_size": 8}),
    "mpnet": ("MPNetModel", {**TEXT, **WIDE}),
    "roberta": ("RobertaModel", {**TEXT, **WIDE}),
    "xlm-roberta": ("XLMRobertaModel", {**TEXT, **WIDE}),
    "convnext": ("ConvNextForImageClassification", {**STAGES, "num_stages": 2, "image_size": 32}),
    "convnextv2": ("ConvNextV2Model", {**STAGES, "num_stages": 2, "image_size": 32}),
    "deit": ("DeiTModel", VISION),
    "dinov2": ("Dinov2Model", VISION),
    "mobilenet_v1": ("MobileNetV1ForImageClassification", {"image_size": 32, "depth_multiplier": 0.25}),
    "mobilenet_v2": ("MobileNetV2ForImageClassification", {"image_size": 32, "depth_multiplier": 0.25}),
    "regnet": ("RegNetForImageClassification", {**STAGES, "groups_width": 8, "image_size": 32}),
    "resnet": ("ResNetForImageClassification", {**STAGES, "layer_type": "basic", "image_size": 32}),
    "vit": ("ViTForImageClassification", {**VISION, "num_labels": 3}),
}


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any]]:
    """A tiny random model of each family: its folder, and transformers' own object."""
    root, made = tmp_path_factory.mktemp("families"), {}
    torch.manual_seed(5)
    transformers.utils.logging.disable_progress_bar()
    for family, (name, settings) in CASES.items():
        config = transformers.AutoConfig.for_model(family, **settings)
        model = getattr(transformers, name)(config).eval()
        model.save_pretrained(root / family)
        made[family] = (root / family, model)
    return made


@pytest.mark.parametrize("family", CASES)
def test_every_family_computes_what_transformers_computes(families: dict[str, tuple[Path, Any]], family: str) -> None:
    folder, model = families[family]
    source = network_source(str(folder))
    assert source is not None
    network = load(source)
    assert network.family == family
    inputs = dict(network.inputs)
    if "input_ids" in inputs:
        longest = 18 if family in ("mpnet", "roberta", "xlm-roberta") else 20
        assert network.limits == {"sequence": (1, longest)}
        inputs = network.sized({"sequence": longest})
    with torch.no_grad():
        expected = {key: value for key, value in model(**inputs).items() if isinstance(value, torch.Tensor)}
        found = network.module(*inputs.values())
    names = [port.name for port in network.outputs]
    assert set(names) == set(expected) and len(found) == len(names)
    for name, tensor in zip(names, found, strict=True):
        torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-5)


def source_of(folder: Path) -> NetworkSource:
    source = network_source(str(folder))
    assert source is not None
    return source


def test_a_training_head_is_left_out_and_a_pooler_that_was_never_trained_too(tmp_path: Path) -> None:
    config = transformers.BertConfig(**TEXT, **WIDE)
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path / "mlm")
    network = load(source_of(tmp_path / "mlm"))
    assert [port.name for port in network.outputs] == ["last_hidden_state"]
    assert any("pooler" in note for note in network.notes) and any("BertForMaskedLM" in note for note in network.notes)


def test_weights_of_another_model_and_broken_ones_are_refused(
    families: dict[str, tuple[Path, Any]], tmp_path: Path
) -> None:
    folder = tmp_path / "bert"
    shutil.copytree(families["bert"][0], folder)
    shutil.copy(families["vit"][0] / "model.safetensors", folder / "model.safetensors")
    with pytest.raises(DataError, match="the weights lack"):
        load(source_of(folder))
    shutil.copy(families["bert"][0] / "model.safetensors", folder / "model.safetensors")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot load"):
        load(source_of(folder))


def test_half_precision_checkpoints_are_computed_in_float32_and_said(tmp_path: Path) -> None:
    config = transformers.BertConfig(**TEXT, **WIDE)
    transformers.BertModel(config).to(torch.bfloat16).save_pretrained(tmp_path / "half")
    facts = facts_of(load(source_of(tmp_path / "half")))
    assert all(port.dtype == "float32" for port in facts.outputs)
    assert any("BF16" in note for note in facts.notes)


def test_the_preprocessor_decides_the_size_of_an_image(families: dict[str, tuple[Path, Any]], tmp_path: Path) -> None:
    folder = tmp_path / "resnet"
    shutil.copytree(families["resnet"][0], folder)
    told = {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 40}, "crop_pct": 0.875}
    (folder / "preprocessor_config.json").write_text(json.dumps(told), encoding="utf-8")
    facts = facts_of(load(source_of(folder)))
    assert facts.inputs == (Port("pixel_values", "float32", (1, 3, 40, 40)),)
    assert facts.outputs == (Port("logits", "float32", (1, 3)),)
    assert facts.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert folder / "preprocessor_config.json" in facts.files


def test_the_encoder_of_minilm_shape_exports_with_a_length_that_varies(tmp_path: Path, shared_data: Path) -> None:
    from models.minilm import write_minilm

    folder = write_minilm(
        tmp_path / "minilm",
        shared_data / "text" / "tinyshakespeare.txt",
        layers=2,
        hidden=32,
        heads=4,
        middle=64,
        vocab=300,
        positions=40,
    )
    network = load(source_of(folder))
    exported = torch.export.export(network.module, network.arguments, dynamic_shapes=network.dynamic_shapes())
    module = exported.module()
    for length in (1, 2, 39, 40):
        inputs = tuple(network.sized({"sequence": length}).values())
        with torch.no_grad():
            for one, two in zip(module(*inputs), network.module(*inputs), strict=True):
                torch.testing.assert_close(one, two)


def test_an_onnx_file_is_no_torch_module(shared_data: Path) -> None:
    with pytest.raises(UnsupportedModel, match="ONNX"):
        load(source_of(shared_data / "vision" / "mnist.onnx"))


def test_the_facts_of_an_onnx_file_are_read_from_its_graph(shared_data: Path) -> None:
    pytest.importorskip("onnx")
    facts = network_facts(source_of(shared_data / "vision" / "mnist.onnx"))
    assert facts.inputs == (Port("Input3", "float32", (1, 1, 28, 28)),)  # initializers are listed as inputs there
    assert facts.outputs == (Port("Plus214_Output_0", "float32", (1, 10)),)
    silero = network_facts(source_of(shared_data / "audio" / "silero_vad_op18_ifless.onnx"))
    assert silero.inputs[1:] == (Port("sr", "int64", ()), Port("state", "float32", (2, "batch", 128)))
    assert silero.weight_elements > 500_000


def test_broken_onnx_files_are_refused(tmp_path: Path, shared_data: Path) -> None:
    onnx = pytest.importorskip("onnx")
    whole = shared_data / "vision" / "mnist.onnx"
    file = tmp_path / "net.onnx"
    for content in (b"", b"\x00\xff garbage", whole.read_bytes()[:9000]):
        file.write_bytes(content)
        with pytest.raises(DataError):
            network_facts(source_of(file))
    weight = onnx.numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("MatMul", ["x", "w"], ["y"])], "net", [x], [y], [weight])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(file), save_as_external_data=True, location="net.data", size_threshold=0)
    assert tmp_path / "net.data" in network_facts(source_of(file)).files
    (tmp_path / "net.data").unlink()
    with pytest.raises(DataError, match=r"net\.data"):
        network_facts(source_of(file))


def test_a_quantized_onnx_file_is_refused(tmp_path: Path, shared_data: Path) -> None:
    pytest.importorskip("onnxruntime")
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(str(shared_data / "vision" / "mnist.onnx"), str(tmp_path / "q.onnx"))
    with pytest.raises(UnsupportedModel, match="quantized already"):
        network_facts(source_of(tmp_path / "q.onnx"))
