"""Adapters' folders as peft writes them: what is read, and what is refused instead of being left out."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built_gguf import build_gguf
from low_rank import PREFIX, write_random_adapter
from safetensors.numpy import load_file, save_file

from edgeshrink.catalog.adapters import BASE, BASE_NAME, SCHEME, is_adapter, read_adapter, read_gguf_adapter
from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.errors import DataError, UnsupportedModel


@pytest.fixture(scope="module")
def skill(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    told = {BASE: "cd" * 32, BASE_NAME: "demo", SCHEME: "Q4_K_M"}
    folder = tmp_path_factory.mktemp("adapters") / "skill"
    return write_random_adapter(folder, demo_model, targets=("q_proj", "up_proj"), metadata=told)


def changed(skill: Path, folder: Path, arrays: dict[str, Any] | None = None, **config: Any) -> Path:
    """A copy of the adapter with other fields or other weights."""
    folder.mkdir()
    told = json.loads((skill / "adapter_config.json").read_text(encoding="utf-8"))
    (folder / "adapter_config.json").write_text(json.dumps({**told, **config}), encoding="utf-8")
    held = load_file(skill / "adapter_model.safetensors")
    save_file({**held, **(arrays or {})}, folder / "adapter_model.safetensors")
    return folder


def test_the_folder_is_told_without_its_numbers(skill: Path) -> None:
    adapter = read_adapter(skill)

    assert is_adapter(skill)
    assert (adapter.name, adapter.base, adapter.base_name, adapter.scheme) == ("skill", "cd" * 32, "demo", "Q4_K_M")
    assert (adapter.rank, adapter.alpha, adapter.scale) == (4, 8.0, 2.0)
    assert adapter.targets == ("q_proj", "up_proj")
    assert adapter.parameters == 5 * 4 * ((256 + 256) + (256 + 768))
    assert len(adapter.updates) == 10
    held = load_file(skill / "adapter_model.safetensors")
    for update in adapter.updates:
        name = PREFIX + update.weight.removesuffix(".weight")
        assert np.array_equal(read_rows(update.a), held[f"{name}.lora_A.weight"])
        assert np.array_equal(read_rows(update.b), held[f"{name}.lora_B.weight"])


def test_one_that_peft_wrote_says_no_digest(skill: Path, tmp_path: Path) -> None:
    adapter = read_adapter(changed(skill, tmp_path / "theirs"))

    assert (adapter.base, adapter.base_name, adapter.scheme) == ("", "some/base", None)


def test_a_rank_stabilized_scale_is_folded_into_alpha(skill: Path, tmp_path: Path) -> None:
    adapter = read_adapter(changed(skill, tmp_path / "stabilized", use_rslora=True))

    assert adapter.scale == pytest.approx(8.0 / math.sqrt(4))


def test_a_card_beside_it_says_the_licence(skill: Path, tmp_path: Path) -> None:
    folder = changed(skill, tmp_path / "carded")
    (folder / "README.md").write_text("---\nlicense: cc0-1.0\n---\n# Skill\n", encoding="utf-8")

    assert read_adapter(folder).license == "cc0-1.0"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"modules_to_save": ["lm_head"]}, "whole modules"),
        ({"bias": "all"}, "biases"),
        ({"lora_bias": True}, "biases"),
        ({"trainable_token_indices": [3]}, "tokens"),
        ({"fan_in_fan_out": True}, "transposed"),
        ({"rank_pattern": {"q_proj": 2}}, "rank of their own"),
        ({"alpha_pattern": {"q_proj": 2}}, "alpha of their own"),
        ({"target_parameters": ["mlp.experts.gate_up_proj"]}, "no linear layers"),
        ({"layer_replication": [[0, 2], [1, 3]]}, "stand twice"),
        ({"init_lora_weights": "pissa"}, "changed the base"),
        ({"use_something_new": 7}, "use_something_new"),
        ({"peft_type": "IA3"}, "IA3"),
    ],
)
def test_what_would_be_left_out_is_refused(skill: Path, tmp_path: Path, config: dict[str, Any], words: str) -> None:
    with pytest.raises(UnsupportedModel, match=words) as refused:
        read_adapter(changed(skill, tmp_path / "more", **config))

    assert "merge_and_unload" in refused.value.hint


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        (f"{PREFIX}model.embed_tokens.lora_embedding_A", (4, 4096), "lora_embedding_A"),
        (f"{PREFIX}lm_head.weight", (8, 4), "lm_head"),
        (f"{PREFIX}model.layers.0.mlp.down_proj.lora_magnitude_vector.weight", (4,), "magnitude"),
        ("model.layers.0.self_attn.q_proj.lora_A.weight", (4, 256), "no low-rank update"),
    ],
)
def test_tensors_that_are_no_updates_are_refused(
    skill: Path, tmp_path: Path, name: str, shape: tuple[int, ...], words: str
) -> None:
    with pytest.raises(UnsupportedModel, match=words):
        read_adapter(changed(skill, tmp_path / "more", {name: np.ones(shape, np.float32)}))


def test_half_an_update_and_another_rank_are_no_adapters(skill: Path, tmp_path: Path) -> None:
    layer = f"{PREFIX}model.layers.0.mlp.down_proj"
    with pytest.raises(DataError, match="one half"):
        read_adapter(changed(skill, tmp_path / "half", {f"{layer}.lora_A.weight": np.ones((4, 768), np.float32)}))
    with pytest.raises(DataError, match=r"\[768, 4\] times \[4, 256\], which is not of rank 8"):
        read_adapter(changed(skill, tmp_path / "rank", r=8))


@pytest.mark.parametrize("value", [0, -1, "8", None, True, 2.5, math.inf])
def test_a_rank_must_be_a_whole_number_above_0(skill: Path, tmp_path: Path, value: object) -> None:
    with pytest.raises(DataError, match=r"\br is"):
        read_adapter(changed(skill, tmp_path / "odd", r=value))


def test_a_pickle_is_never_opened(skill: Path, tmp_path: Path) -> None:
    folder = changed(skill, tmp_path / "pickled")
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_model.bin").write_bytes(pickle.dumps({}))

    with pytest.raises(UnsupportedModel, match="never opens one"):
        read_adapter(folder)


def test_folders_that_hold_none_say_so(skill: Path, demo_model: Path, tmp_path: Path) -> None:
    empty = changed(skill, tmp_path / "empty")
    (empty / "adapter_model.safetensors").unlink()

    assert not is_adapter(demo_model)
    with pytest.raises(DataError, match="is no adapter"):
        read_adapter(demo_model)
    with pytest.raises(DataError, match=r"has no adapter_model\.safetensors"):
        read_adapter(empty)


def test_a_model_is_no_adapter_in_a_gguf_either(stories: Path, tmp_path: Path) -> None:
    model = build_gguf(stories, tmp_path / "model.gguf", "F16").path

    with pytest.raises(DataError, match="no GGUF of a low-rank adapter: it says model"):
        read_gguf_adapter(model)
