"""Tiny random decoders of all four architectures, as transformers' modules in memory. Imports torch."""

from __future__ import annotations

from typing import Any

import torch
import transformers

VOCABULARY, CONTEXT = 61, 64
_CONFIGS = {
    "llama": transformers.LlamaConfig,
    "mistral": transformers.MistralConfig,
    "qwen2": transformers.Qwen2Config,
    "qwen3": transformers.Qwen3Config,
}
DECODERS = tuple(_CONFIGS)
BOS, EOS = 0, 1


def decoder(kind: str, seed: int = 0, **sizes: Any) -> Any:
    """A model of `kind` in float32: hidden 32, 4 heads of 8 over 2 key-value heads, 2 layers, unless `sizes` differ."""
    settings = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
        "tie_word_embeddings": False,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "pad_token_id": None,
        **({"head_dim": 8} if kind != "qwen2" else {}),
        **sizes,
    }
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = transformers.AutoModelForCausalLM.from_config(_CONFIGS[kind](**settings), attn_implementation="sdpa")
        with torch.no_grad():
            for parameter in model.parameters():  # far from the small start that transformers draws
                parameter.add_(0.2 * torch.randn_like(parameter))
    return model.float()
