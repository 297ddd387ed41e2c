"""What is a network, and where it comes from: decided by names and files, without running anything."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from edgeshrink.catalog import networks
from edgeshrink.catalog.networks import network_source, source_from_json, source_to_json
from edgeshrink.errors import DataError, UnsupportedModel

BERT = {"model_type": "bert", "architectures": ["BertModel"]}


def hf_folder(folder: Path, config: dict[str, Any], *, weights: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if weights:
        save_file({"weight": np.zeros((2, 2), np.float32)}, folder / "model.safetensors")
    return folder


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package whose code must not run: it would leave a file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mynets" / "deep").mkdir(parents=True)
    trap = "from pathlib import Path\nPath('ran').touch()\n"
    for name in ("__init__.py", "models.py", "deep/__init__.py", "deep/more.py"):
        (tmp_path / "mynets" / name).write_text(trap, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("entry", "file"),
    [
        ("mynets.models:make", "mynets/models.py"),
        ("mynets:make", "mynets/__init__.py"),
        ("mynets.deep.more:make", "mynets/deep/more.py"),
    ],
)
def test_a_function_is_found_in_the_current_folder_without_importing_it(package: Path, entry: str, file: str) -> None:
    source = network_source(entry)
    assert source is not None
    assert (source.kind, source.entry, source.path) == ("function", entry, (package / file).resolve())
    assert not (package / "ran").exists()
    assert "mynets" not in sys.modules


def test_a_function_of_an_installed_package_is_found() -> None:
    source = network_source("edgeshrink.catalog.networks:network_source")
    assert source is not None and source.path == Path(networks.__file__).resolve()


@pytest.mark.parametrize("entry", ["mynets.nothing:make", "nosuchpackage:make", "mynets.models.inner:make"])
def test_a_module_that_is_not_there_is_named(package: Path, entry: str) -> None:
    with pytest.raises(DataError, match="there is no Python module") as caught:
        network_source(entry)
    assert entry in caught.value.message


def test_folders_without_init_are_found_inside_each_other_before_anything_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain_outer" / "inner" / "deepest").mkdir(parents=True)
    for name in ("inner/net.py", "inner/deepest/net.py"):
        (tmp_path / "plain_outer" / name).touch()
    for entry, file in {
        "plain_outer.inner.net:make": "plain_outer/inner/net.py",
        "plain_outer.inner.deepest.net:make": "plain_outer/inner/deepest/net.py",
    }.items():
        source = network_source(entry)
        assert source is not None and source.path == (tmp_path / file).resolve()
    assert "plain_outer" not in sys.modules
    with pytest.raises(DataError, match=r"there is no Python module plain_outer\.inner\.other"):
        network_source("plain_outer.inner.other:make")
    with pytest.raises(DataError, match="a folder without a file of code"):
        network_source("plain_outer.inner:make")


def test_an_encoder_folder_is_a_network_with_its_license(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "bert", BERT)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    source = network_source(str(folder))
    assert source is not None
    assert (source.kind, source.path, source.license) == ("huggingface", folder.resolve(), "mit")


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "llama", "architectures": ["LlamaForCausalLM"]},
        {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]},
        {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]},
        {"model_type": "strange", "architectures": ["StrangeModel"], "auto_map": {"AutoModel": "x.StrangeModel"}},
        {"model_type": "llama", "architectures": ["LlamaForSequenceClassification"]},
        {},
    ],
)
def test_what_is_no_network_is_left_to_the_language_models(tmp_path: Path, config: dict[str, Any]) -> None:
    assert network_source(str(hf_folder(tmp_path / "model", config))) is None


@pytest.mark.parametrize("given", ["no-such-thing", "folder/that/is/not", "model.gguf", "a b:c"])
def test_names_of_nothing_are_no_networks(given: str) -> None:
    assert network_source(given) is None


def test_an_encoder_of_an_unknown_family_lists_the_known_ones_and_the_way_by_a_function(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "m", {"model_type": "whisper_like", "architectures": ["WhisperLikeModel"]})
    with pytest.raises(UnsupportedModel, match="WhisperLikeModel") as caught:
        network_source(str(folder))
    assert "distilbert" in caught.value.hint and "package.module:function" in caught.value.hint


def test_a_head_without_a_row_is_refused(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "m", {"model_type": "bert", "architectures": ["BertForMultipleChoice"]})
    with pytest.raises(UnsupportedModel, match="BertForMultipleChoice"):
        network_source(str(folder))


def test_a_quantized_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "m", {**BERT, "quantization_config": {"quant_method": "gptq", "bits": 4}})
    with pytest.raises(UnsupportedModel, match="already quantized"):
        network_source(str(folder))


def test_pickles_are_refused_and_missing_weights_are_said(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "m", BERT, weights=False)
    with pytest.raises(DataError, match="holds no"):
        network_source(str(folder))
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(UnsupportedModel, match="pickle"):
        network_source(str(folder))


def test_an_onnx_file_is_a_network_and_a_missing_one_is_said(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    with pytest.raises(DataError, match=r"no file .*net\.onnx"):
        network_source(str(file))
    file.touch()
    source = network_source(str(file))
    assert source is not None and (source.kind, source.path) == ("onnx", file.resolve())


def test_a_hub_id_is_decided_by_its_configuration_before_weights_are_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    snapshot = tmp_path / "snapshots" / commit
    asked: list[tuple[bool, str | None]] = []

    def fetch(hub_id: str, *, offline: bool, weights: bool, revision: str | None = None) -> Path:
        asked.append((weights, revision))
        return hf_folder(snapshot, BERT if hub_id == "me/bert" else {"model_type": "llama"}, weights=weights)

    monkeypatch.setattr(networks, "fetch", fetch)
    monkeypatch.chdir(tmp_path)
    source = network_source("me/bert")
    assert source is not None
    assert (source.hub_id, source.revision, source.path) == ("me/bert", commit, snapshot.resolve())
    assert asked == [(False, None), (True, commit)]
    asked.clear()
    assert network_source("me/llama") is None
    assert asked == [(False, None)]


def test_a_source_survives_the_way_to_a_job(package: Path) -> None:
    source = network_source("mynets.models:make")
    assert source is not None
    assert source_from_json(json.loads(json.dumps(source_to_json(source)))) == source


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME" if os.name != "nt" else "USERPROFILE", str(tmp_path))
    hf_folder(tmp_path / "bert", BERT)
    source = network_source("~/bert")
    assert source is not None and source.path == (tmp_path / "bert").resolve()
