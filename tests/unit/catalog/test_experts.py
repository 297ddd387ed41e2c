"""Mixtures of experts as they are read: from config.json, from both ways to keep the weights, and from a GGUF."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_models import MIXTURES, write_tiny_model

from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.core.model import Experts
from edgeshrink.errors import DataError, UnsupportedModel

EXPERTS = {
    "mixtral": Experts(count=8, used=2, ffn=96),
    "qwen2_moe": Experts(count=8, used=3, ffn=64, shared_ffn=96, normed=False),
    "qwen3_moe": Experts(count=8, used=2, ffn=64),
}
PREFIX = {"mixtral": "block_sparse_moe", "qwen2_moe": "mlp", "qwen3_moe": "mlp"}
MATRICES = {"mixtral": ("w1", "w3", "w2")}
QWEN = ("gate_proj", "up_proj", "down_proj")


def configured(folder: Path, **changes: Any) -> str:
    file = folder / "config.json"
    config = {**json.loads(file.read_text(encoding="utf-8")), **changes}
    file.write_text(json.dumps({key: value for key, value in config.items() if value != "absent"}), encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize("kind", MIXTURES)
def test_a_configuration_says_what_the_experts_are(kind: str, tmp_path: Path, demo_model: Path) -> None:
    facts = inspect_model(str(write_tiny_model(tmp_path / "model", demo_model, kind)))
    assert facts.experts == EXPERTS[kind]
    (tmp_path / "model" / "model.safetensors").unlink()
    assert inspect_model(str(tmp_path / "model")).experts == EXPERTS[kind]


def test_transformers_spells_the_number_of_experts_in_two_ways(tmp_path: Path, demo_model: Path) -> None:
    folder = write_tiny_model(tmp_path / "model", demo_model, "qwen3_moe")
    facts = inspect_model(configured(folder, num_experts="absent", num_local_experts=8, intermediate_size="absent"))
    assert (facts.experts, facts.ffn_size) == (EXPERTS["qwen3_moe"], 64)


@pytest.mark.parametrize(
    ("kind", "changes", "error", "says"),
    [
        ("qwen2_moe", {"decoder_sparse_step": 2}, UnsupportedModel, "decoder_sparse_step is 2"),
        ("qwen3_moe", {"mlp_only_layers": [0]}, UnsupportedModel, r"mlp_only_layers names \[0\]"),
        ("qwen2_moe", {"norm_topk_prob": True}, UnsupportedModel, "qwen2moe with false only"),
        ("qwen3_moe", {"norm_topk_prob": "absent"}, UnsupportedModel, "norm_topk_prob is false"),
        ("qwen3_moe", {"attention_bias": True}, UnsupportedModel, "attention_bias is true"),
        ("mixtral", {"num_experts_per_tok": 9}, DataError, "expected at most num_local_experts, 8"),
        ("mixtral", {"num_local_experts": 0}, DataError, "expected a whole number above zero"),
        ("qwen2_moe", {"shared_expert_intermediate_size": "absent"}, DataError, "has no shared_expert_intermediate"),
    ],
)
def test_what_llama_cpp_would_compute_otherwise_is_refused(
    kind: str, changes: dict[str, Any], error: type[Exception], says: str, tmp_path: Path, demo_model: Path
) -> None:
    folder = write_tiny_model(tmp_path / "model", demo_model, kind)
    with pytest.raises(error, match=says):
        inspect_model(configured(folder, **changes))


@pytest.mark.parametrize("kind", ["mixtral", "qwen3_moe"])
def test_experts_in_one_tensor_are_read_as_one_tensor_each(kind: str, tmp_path: Path, demo_model: Path) -> None:
    folder = write_tiny_model(tmp_path / "model", demo_model, kind)
    apart = inspect_model(str(folder))
    expected = {tensor.name: (tensor.shape, read_rows(tensor)) for tensor in apart.tensors}
    weights = load_file(folder / "model.safetensors")
    gate, up, down = MATRICES.get(kind, QWEN)
    for layer in range(2):
        at = f"model.layers.{layer}."
        each = [[weights.pop(f"{at}{PREFIX[kind]}.experts.{e}.{m}.weight") for e in range(8)] for m in (gate, up, down)]
        weights[f"{at}mlp.experts.gate_up_proj"] = np.concatenate([np.stack(each[0]), np.stack(each[1])], axis=1)
        weights[f"{at}mlp.experts.down_proj"] = np.stack(each[2])
    save_file(weights, folder / "model.safetensors")
    found = inspect_model(str(folder)).tensors
    assert {tensor.name for tensor in found} == expected.keys()
    for tensor in found:
        shape, values = expected[tensor.name]
        assert tensor.shape == shape
        assert read_rows(tensor).tobytes() == values.tobytes()


def mixture_gguf(path: Path, **changes: Any) -> str:
    """A GGUF of one layer of four experts."""
    writer = gguf.GGUFWriter(path, "qwen3moe")
    keys = {"block_count": 1, "embedding_length": 8, "feed_forward_length": 24, "attention.head_count": 2}
    keys |= {"context_length": 64, "expert_count": 4, "expert_used_count": 2, **changes.pop("keys", {})}
    for key, value in keys.items():
        if value is not None:
            writer.add_uint32(f"qwen3moe.{key}", value)
    writer.add_float32("qwen3moe.attention.layer_norm_rms_epsilon", 1e-6)
    shapes = {"token_embd": (16, 8), "blk.0.ffn_gate_inp": (4, 8), "blk.0.ffn_down_exps": (4, 8, 6)}
    shapes |= {"blk.0.ffn_gate_exps": (4, 6, 8), "blk.0.ffn_up_exps": (4, 6, 8), **changes}
    for name, shape in shapes.items():
        if shape is not None:
            writer.add_tensor(f"{name}.weight", np.zeros(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return str(path)


def test_a_gguf_of_experts_is_read(tmp_path: Path) -> None:
    facts = inspect_model(mixture_gguf(tmp_path / "a.gguf"))
    assert (facts.model_type, facts.experts, facts.ffn_size) == ("qwen3_moe", Experts(4, 2, 6), 24)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"blk.0.ffn_down_exps": None, "blk.0.ffn_down": (8, 6)}, UnsupportedModel, "layer 0 has no tensor of experts"),
        ({"keys": {"expert_count": None}}, DataError, "qwen3moe.expert_count is None"),
        (
            {"keys": {"expert_count": 5}},
            DataError,
            r"expert_count is 5, 2 used, and the experts' tensor is \[4, 8, 6\]",
        ),
        ({"keys": {"expert_used_count": 5}}, DataError, "expert_count is 4, 5 used"),
    ],
)
def test_a_gguf_whose_header_and_experts_do_not_fit_is_refused(
    changes: dict[str, Any], error: type[Exception], says: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=says):
        inspect_model(mixture_gguf(tmp_path / "a.gguf", **changes))
