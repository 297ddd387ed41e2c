"""Networks from a Hugging Face folder: every family against transformers itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from torch_modules import source_of

from edgeshrink.catalog.networks import network_source
from edgeshrink.core.network import Port
from edgeshrink.errors import DataError, UnsupportedModel

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from edgeshrink.runtimes.torch_network import load  # noqa: E402
from edgeshrink.runtimes.torch_network.facts import facts_of  # noqa: E402

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
