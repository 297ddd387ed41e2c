"""Trained mixtures are written an expert a tensor, and routers can be trained alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from tiny_models import MIXTURES, write_tiny_model

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.distill.models import load_frozen, load_model
from edgeshrink.compress.training.forms import Whole
from edgeshrink.compress.training.router_form import RouterForm
from edgeshrink.compress.training.stacked import Held, held
from edgeshrink.errors import UsageError

WRITES: Any = SimpleNamespace(writes=True)


@pytest.fixture(scope="module")
def tiny_mixtures(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("mixtures")
    return {kind: write_tiny_model(folder / kind, demo_model, kind) for kind in MIXTURES}


@pytest.mark.parametrize("kind", MIXTURES)
def test_a_mixture_that_learnt_nothing_is_written_as_it_was(
    kind: str, tiny_mixtures: dict[str, Path], tmp_path: Path
) -> None:
    Whole({}).write(inspect_folder(tiny_mixtures[kind], kind), load_model(tiny_mixtures[kind]), tmp_path / "w", WRITES)
    old = load_file(tiny_mixtures[kind] / "model.safetensors")
    new = load_file(tmp_path / "w" / "model.safetensors")
    assert old.keys() == new.keys()
    assert all(np.array_equal(old[name], new[name]) for name in old)


def test_a_file_with_stacked_experts_comes_out_with_one_tensor_each(
    tiny_mixtures: dict[str, Path], tmp_path: Path
) -> None:
    source = tiny_mixtures["qwen3_moe"]
    fused = tmp_path / "fused"
    fused.mkdir()
    for file in source.iterdir():
        if file.suffix == ".json":
            (fused / file.name).write_bytes(file.read_bytes())
    tensors = load_file(source / "model.safetensors")
    for layer in range(2):
        prefix = f"model.layers.{layer}.mlp.experts"
        gates, ups, downs = (
            np.stack([tensors.pop(f"{prefix}.{expert}.{part}_proj.weight") for expert in range(8)])
            for part in ("gate", "up", "down")
        )
        tensors |= {f"{prefix}.gate_up_proj": np.concatenate((gates, ups), axis=1), f"{prefix}.down_proj": downs}
    save_file(tensors, fused / "model.safetensors")
    Whole({}).write(inspect_folder(fused, "fused"), load_model(fused), tmp_path / "out", WRITES)
    tokens = torch.arange(30)[None]
    with torch.no_grad():
        expected, found = (
            load_frozen(folder, mixed=False)(input_ids=tokens).logits for folder in (source, tmp_path / "out")
        )
    assert torch.equal(expected, found)


@pytest.mark.parametrize("kind", MIXTURES)
def test_routers_and_norms_are_all_that_is_trained(kind: str, tiny_mixtures: dict[str, Path], tmp_path: Path) -> None:
    form, student = RouterForm({}), load_model(tiny_mixtures[kind])
    facts = inspect_folder(tiny_mixtures[kind], kind)
    form.prepare(student)
    learning = {name: value for name, value in student.named_parameters() if value.requires_grad}
    assert sum(value.numel() for value in learning.values()) == form.trained(facts)
    assert all(name.endswith(("gate.weight", "norm.weight")) for name in learning)
    student(input_ids=torch.arange(30)[None]).logits.square().mean().backward()
    assert all(float(value.grad.abs().max()) > 0 for value in learning.values())  # type: ignore[union-attr]
    with torch.no_grad():
        for value in learning.values():
            value += 0.5
    form.write(facts, student, tmp_path / "out", WRITES)
    old = load_file(tiny_mixtures[kind] / "model.safetensors")
    new = load_file(tmp_path / "out" / "model.safetensors")
    moved = {name for name in old if not np.array_equal(old[name], new[name])}
    assert moved == {name for name in old if name.endswith(("gate.weight", "norm.weight"))}


def test_a_dense_student_has_no_router_to_heal(demo_model: Path, tmp_path: Path) -> None:
    student = load_model(write_tiny_model(tmp_path / "llama", demo_model, "llama"))
    with pytest.raises(UsageError, match="no experts"):
        RouterForm({}).prepare(student)


def test_tensors_are_found_where_transformers_holds_them() -> None:
    assert held("mixtral", "model.layers.1.block_sparse_moe.experts.5.w3.weight") == Held(
        "model.layers.1.mlp.experts.gate_up_proj", 5, 1, 2
    )
    assert held("mixtral", "model.layers.1.block_sparse_moe.gate.weight") == Held("model.layers.1.mlp.gate.weight")
    shared = "model.layers.0.mlp.shared_expert.down_proj.weight"
    assert held("qwen2_moe", shared) == Held(shared)
    assert held("llama", "model.layers.0.mlp.down_proj.weight") == Held("model.layers.0.mlp.down_proj.weight")
