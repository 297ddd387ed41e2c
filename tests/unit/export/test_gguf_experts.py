"""A mixture of experts as a GGUF: the same file from each way to keep the weights, and from the GGUF itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from built_gguf import Built, build_gguf
from libllama_oracle import tensor_bytes
from safetensors.numpy import load_file, save_file
from tiny_models import write_tiny_model

from edgeshrink.core.events import silent
from edgeshrink.core.model import SourceTensor
from edgeshrink.errors import DataError, StepFailed
from edgeshrink.evaluate.source_forward import source_logits
from edgeshrink.export.gguf.write import write_gguf

SCHEME = "Q4_0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("mixture") / "model", demo_model, "qwen2_moe")


@pytest.fixture(scope="module")
def f32(folder: Path) -> Built:
    return build_gguf(folder, folder.parent / "f32.gguf", "F32")


@pytest.fixture(scope="module")
def importance(f32: Built) -> dict[str, np.ndarray]:
    random = np.random.default_rng(2)
    return {
        plan.name: random.random(plan.elements // plan.shape[-2], np.float32) ** 4
        for plan in f32.tensors
        if len(plan.shape) > 1
    }


@pytest.fixture(scope="module")
def quantized(folder: Path, importance: dict[str, np.ndarray]) -> Built:
    return build_gguf(folder, folder.parent / "quantized.gguf", SCHEME, importance=importance)


def test_a_gguf_of_experts_gives_the_file_that_its_folder_gives(
    f32: Built, quantized: Built, importance: dict[str, np.ndarray], tmp_path: Path
) -> None:
    again = build_gguf(f32.path, tmp_path / "again.gguf", SCHEME, importance=importance)
    assert again.facts.experts == f32.facts.experts
    assert tensor_bytes(again.path) == tensor_bytes(quantized.path)


def test_a_gguf_of_experts_computes_in_numpy_what_its_folder_does(f32: Built, folder: Path, tmp_path: Path) -> None:
    tokens = list(range(5, 400, 13))
    expected = source_logits(f32.facts, tokens)
    found = source_logits(build_gguf(f32.path, tmp_path / "again.gguf", "F32").facts, tokens)
    assert np.abs(expected).max() > 1
    assert found.tobytes() == expected.tobytes()


def test_experts_that_are_kept_in_one_tensor_give_the_same_file(
    folder: Path, quantized: Built, importance: dict[str, np.ndarray], demo_model: Path, tmp_path: Path
) -> None:
    fused = write_tiny_model(tmp_path / "fused", demo_model, "qwen2_moe")
    weights = load_file(fused / "model.safetensors")
    for layer in range(2):
        at = f"model.layers.{layer}.mlp.experts"
        gate, up, down = (
            np.stack([weights.pop(f"{at}.{expert}.{part}_proj.weight") for expert in range(8)])
            for part in ("gate", "up", "down")
        )
        weights |= {f"{at}.gate_up_proj": np.concatenate([gate, up], axis=1), f"{at}.down_proj": down}
    save_file(weights, fused / "model.safetensors")
    made = build_gguf(fused, tmp_path / "fused.gguf", SCHEME, importance=importance)
    assert tensor_bytes(made.path) == tensor_bytes(quantized.path)


def test_an_expert_that_is_missing_or_of_another_shape_stops_the_writing(f32: Built, tmp_path: Path) -> None:
    source = {tensor.name: tensor for tensor in f32.facts.tensors}
    name = "model.layers.0.mlp.experts.7.down_proj.weight"
    metadata = build_gguf(f32.path, tmp_path / "whole.gguf", "F32").facts.metadata

    def write(tensors: dict[str, SourceTensor]) -> None:
        out = tmp_path / "a.gguf"
        write_gguf(out, metadata, f32.tensors, tensors, importance=None, threads=2, listener=silent)

    with pytest.raises(StepFailed, match=r"blk\.0\.ffn_down_exps\.weight: the source has no tensor .*experts\.7"):
        write({key: tensor for key, tensor in source.items() if key != name})
    with pytest.raises(DataError, match=r"experts\.7\.down_proj.* needs \[64, 64\]"):
        write({**source, name: replace(source[name], shape=(64, 32), nbytes=4 * 64 * 32)})
    assert not (tmp_path / "a.gguf").exists()


def test_importance_for_fewer_experts_is_refused(
    folder: Path, importance: dict[str, np.ndarray], tmp_path: Path
) -> None:
    name = "blk.0.ffn_up_exps.weight"
    with pytest.raises(StepFailed, match="rows have 64, of 8 experts"):
        build_gguf(folder, tmp_path / "a.gguf", SCHEME, importance={**importance, name: importance[name][:64]})
