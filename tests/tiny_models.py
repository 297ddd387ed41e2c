"""Tiny random language models as Hugging Face folders, written without torch: the demo's tokenizer, random weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

CONTEXT = 256
_SHAPE: dict[str, Any] = {
    "vocab_size": 4096,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": CONTEXT,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "attention_bias": False,
    "tie_word_embeddings": False,
    "dtype": "float32",
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
KINDS: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "mlp_bias": False},
    "qwen3": {
        "model_type": "qwen3",
        "architectures": ["Qwen3ForCausalLM"],
        "tie_word_embeddings": True,
        "head_dim": 32,
        "use_sliding_window": False,
    },
    "mixtral": {
        "model_type": "mixtral",
        "architectures": ["MixtralForCausalLM"],
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
        "intermediate_size": 96,
    },
    "qwen2_moe": {
        "model_type": "qwen2_moe",
        "architectures": ["Qwen2MoeForCausalLM"],
        "num_experts": 8,
        "num_experts_per_tok": 3,
        "moe_intermediate_size": 64,
        "shared_expert_intermediate_size": 96,
        "norm_topk_prob": False,
    },
    "qwen3_moe": {
        "model_type": "qwen3_moe",
        "architectures": ["Qwen3MoeForCausalLM"],
        "tie_word_embeddings": True,
        "head_dim": 32,
        "num_experts": 8,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 64,
        "norm_topk_prob": True,
    },
}
MIXTURES = ("mixtral", "qwen2_moe", "qwen3_moe")


def write_tiny_model(
    folder: Path, demo: Path, kind: str = "llama", *, seed: int = 3, settings: bool = True, **config: int
) -> Path:
    """A model of `kind` in the new `folder`, with the tokenizer and the chat template of the `demo` model.

    Without `settings` only config.json names special tokens, and there is no template. `config`: what is otherwise in
    config.json, such as num_hidden_layers.
    """
    shape = {**_SHAPE, **KINDS[kind], **config}
    folder.mkdir(parents=True)
    for name in ("tokenizer.json", *(("tokenizer_config.json", "generation_config.json") if settings else ())):
        shutil.copyfile(demo / name, folder / name)
    (folder / "config.json").write_text(json.dumps(shape), encoding="utf-8")
    random = np.random.default_rng(seed)
    save_file(
        {name: _values(random, name, shape) for name, shape in _shapes(shape).items()}, folder / "model.safetensors"
    )
    return folder


def _values(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    values = random.standard_normal(shape, np.float32)
    return (1 + 0.3 * values if name.endswith("norm.weight") else 0.12 * values).astype(np.float32)


def _shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    hidden, dim = config["hidden_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * dim, config["num_key_value_heads"] * dim
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (config["vocab_size"], hidden),
        "model.norm.weight": (hidden,),
    }
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (config["vocab_size"], hidden)
    for layer in range(config["num_hidden_layers"]):
        parts: dict[str, tuple[int, ...]] = {
            "input_layernorm": (hidden,),
            "post_attention_layernorm": (hidden,),
            "self_attn.q_proj": (queries, hidden),
            "self_attn.k_proj": (keys, hidden),
            "self_attn.v_proj": (keys, hidden),
            "self_attn.o_proj": (hidden, queries),
            **_feed_forward(config),
        }
        if config["model_type"] in ("qwen3", "qwen3_moe"):
            parts |= {"self_attn.q_norm": (dim,), "self_attn.k_norm": (dim,)}
        if config["model_type"] == "qwen2_moe":
            widths = {"q": queries, "k": keys, "v": keys}
            shapes |= {f"model.layers.{layer}.self_attn.{part}_proj.bias": (width,) for part, width in widths.items()}
        shapes |= {f"model.layers.{layer}.{name}.weight": shape for name, shape in parts.items()}
    return shapes


def _feed_forward(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    hidden, ffn, kind = config["hidden_size"], config["intermediate_size"], config["model_type"]
    if kind not in MIXTURES:
        return _gated("mlp.{}_proj", ("gate", "up", "down"), hidden, ffn)
    if kind == "mixtral":
        block, count, letters = "block_sparse_moe", config["num_local_experts"], ("w1", "w3", "w2")
    else:
        block, count, letters = "mlp", config["num_experts"], ("gate_proj", "up_proj", "down_proj")
        ffn = config["moe_intermediate_size"]
    parts: dict[str, tuple[int, ...]] = {f"{block}.gate": (count, hidden)}
    for expert in range(count):
        parts |= _gated(f"{block}.experts.{expert}.{{}}", letters, hidden, ffn)
    if kind == "qwen2_moe":
        parts |= _gated(
            "mlp.shared_expert.{}_proj", ("gate", "up", "down"), hidden, config["shared_expert_intermediate_size"]
        )
        parts["mlp.shared_expert_gate"] = (1, hidden)
    return parts


def _gated(name: str, letters: tuple[str, str, str], hidden: int, ffn: int) -> dict[str, tuple[int, ...]]:
    gate, up, down = (name.format(letter) for letter in letters)
    return {gate: (ffn, hidden), up: (ffn, hidden), down: (hidden, ffn)}
