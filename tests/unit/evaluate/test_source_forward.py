"""The source in numpy gives the logits of transformers, for every architecture and every kind of rotary scaling."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built_gguf import Builder, build_gguf

from edgeshrink.catalog.models import inspect_model
from edgeshrink.errors import DataError
from edgeshrink.evaluate.source_forward import source_flop, source_logits, too_costly
from edgeshrink.runtimes import llama_cpp

SHAPE: dict[str, Any] = {
    "vocab_size": 160,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
    "rope_theta": 500000.0,
}
LINEAR = {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}
YARN = {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 32, "rope_theta": 10000.0}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", {}),
    "llama with biases and llama3 scaling": (
        "LlamaConfig",
        {"attention_bias": True, "mlp_bias": True, "rope_parameters": LLAMA3},
    ),
    "mistral with linear scaling": (
        "MistralConfig",
        {"head_dim": 16, "sliding_window": None, "rope_parameters": LINEAR},
    ),
    "qwen2 with tied embeddings": ("Qwen2Config", {"tie_word_embeddings": True}),
    "qwen3 with yarn": ("Qwen3Config", {"head_dim": 16, "rope_parameters": YARN}),
    "mixtral": ("MixtralConfig", {"num_local_experts": 5, "num_experts_per_tok": 2}),
    "qwen2_moe": (
        "Qwen2MoeConfig",
        {
            "num_experts": 6,
            "num_experts_per_tok": 3,
            "moe_intermediate_size": 32,
            "shared_expert_intermediate_size": 56,
        },
    ),
    "qwen3_moe tied": (
        "Qwen3MoeConfig",
        {
            "num_experts": 8,
            "num_experts_per_tok": 3,
            "moe_intermediate_size": 32,
            "norm_topk_prob": True,
            "head_dim": 16,
            "tie_word_embeddings": True,
        },
    ),
}


@dataclass(frozen=True)
class Example:
    folder: Path
    tokens: list[int]
    logits: Any


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Example]:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")

    def make(name: str, dtype: str) -> Example:
        config_class, settings = MODELS[name]
        torch.manual_seed(7)
        model = transformers.AutoModelForCausalLM.from_config(
            getattr(transformers, config_class)(**{**SHAPE, **settings})
        )
        with torch.no_grad():
            for label, weight in model.named_parameters():
                center = 1.0 if weight.ndim == 1 and "bias" not in label else 0.0
                weight.copy_(center + 0.25 * torch.randn_like(weight))
        folder = tmp_path_factory.mktemp("tiny")
        model.to(getattr(torch, dtype)).save_pretrained(folder)
        loaded = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        tokens = torch.randint(0, SHAPE["vocab_size"], (1, 40))
        with torch.no_grad():
            logits = loaded(tokens).logits[0].numpy()
        return Example(folder, tokens[0].tolist(), logits)

    return make


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_those_of_transformers(example: Callable[[str, str], Example], name: str) -> None:
    made = example(name, "float32")
    found = source_logits(inspect_model(str(made.folder)), made.tokens)
    assert np.abs(made.logits).max() > 1
    assert np.abs(found - made.logits).max() < 1e-4


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_weights_are_read_exactly(example: Callable[[str, str], Example], dtype: str) -> None:
    made = example("llama", dtype)
    found = source_logits(inspect_model(str(made.folder)), made.tokens)
    assert np.abs(found - made.logits).max() < 1e-4


def test_a_gguf_source_gives_the_same_logits_as_the_folder_it_came_from(stories: Path, built: Builder) -> None:
    tokens = [1, 403, 407, 261, 378, 500, 12, 77, 3]
    expected = source_logits(inspect_model(str(stories)), tokens)
    found = source_logits(inspect_model(str(built("F32").path)), tokens)
    assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize(
    "scaling",
    [
        {"rope_type": "linear", "factor": 2.0},
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128},
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128, "attention_factor": 1.3},
    ],
    ids=["linear", "yarn", "yarn with an attention factor"],
)
@pytest.mark.parametrize(("scheme", "tolerance"), [("F32", 1e-4), ("F16", 5e-2)])
def test_a_gguf_source_turns_scaled_positions_as_the_folder_it_came_from(
    stories: Path, tmp_path: Path, scaling: dict[str, Any], scheme: str, tolerance: float
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(stories, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "rope_parameters": scaling}), encoding="utf-8")
    tokens = [1, *range(300, 360)]
    path = build_gguf(folder, tmp_path / "model.gguf", scheme).path
    found = source_logits(inspect_model(str(path)), tokens)
    assert np.abs(found - source_logits(inspect_model(str(folder)), tokens)).max() < tolerance
    with llama_cpp.load(path, context=64, threads=1, exact=True) as session:
        assert np.abs(found - session.logits(tokens)).max() < tolerance
    assert np.abs(found - source_logits(inspect_model(str(stories)), tokens)).max() > 5 * tolerance


def test_work_is_counted_as_two_operations_a_weight(stories: Path) -> None:
    facts = inspect_model(str(stories))
    assert source_flop(facts, 1) == pytest.approx(2 * 260_000, rel=0.03)


def test_a_model_too_large_is_refused_with_the_reason(stories: Path) -> None:
    facts = inspect_model(str(stories))
    assert too_costly(facts, 64) is None
    assert "operations over 64 tokens" in str(too_costly(facts, 64, flop_limit=1e6))
    assert "no weights" in str(too_costly(replace(facts, tensors=()), 64))
    windowed = replace(facts, config={**facts.config, "sliding_window": 32})
    assert "sliding window of 32" in str(too_costly(windowed, 64))


def test_a_missing_tensor_is_named(stories: Path) -> None:
    facts = inspect_model(str(stories))
    lost = "model.layers.3.mlp.up_proj.weight"
    with pytest.raises(DataError, match=lost.replace(".", r"\.")):
        source_logits(replace(facts, tensors=tuple(t for t in facts.tensors if t.name != lost)), [1, 2])


def test_a_truncated_file_is_refused(stories: Path, tmp_path: Path) -> None:
    facts = inspect_model(str(stories))
    short = tmp_path / "model.safetensors"
    short.write_bytes((stories / "model.safetensors").read_bytes()[:500000])
    tensors = tuple(replace(tensor, file=short) for tensor in facts.tensors)
    with pytest.raises(DataError, match="ends inside tensor"):
        source_logits(replace(facts, tensors=tensors), [1, 2])
