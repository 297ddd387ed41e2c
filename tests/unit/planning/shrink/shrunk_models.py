"""Configurations of the four architectures in ordinary sizes, and a situation to plan them in. No weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.catalog.profiles import load_profile
from edgeshrink.catalog.targets import load_target
from edgeshrink.core.budget import Budget
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.request import Request
from edgeshrink.planning.gguf_metadata import model_metadata
from edgeshrink.planning.layout import layout
from edgeshrink.planning.resolve import Situation

_LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 1024,
    "intermediate_size": 2816,
    "num_hidden_layers": 8,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "vocab_size": 32000,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": _LLAMA,
    "llama-biased": {**_LLAMA, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
    "mistral": {
        **_LLAMA,
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "head_dim": 128,
        "num_attention_heads": 8,
        "num_key_value_heads": 8,
        "sliding_window": None,
    },
    # The widths of Qwen2.5 0.5B.
    "qwen2": {
        **{key: value for key, value in _LLAMA.items() if key != "head_dim"},
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 8,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
        "tie_word_embeddings": True,
        "use_sliding_window": False,
        "max_window_layers": 6,
    },
    "qwen3": {
        **_LLAMA,
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "head_dim": 128,
        "num_hidden_layers": 14,
        "intermediate_size": 3072,
        "num_key_value_heads": 8,
        "tie_word_embeddings": True,
        "layer_types": ["full_attention"] * 14,
        "max_window_layers": 14,
    },
}
KINDS = tuple(CONFIGS)


def shrinkable(folder: Path, kind: str, **changes: Any) -> ModelFacts:
    """The facts of a model of `kind`, from a configuration written to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIGS[kind], **changes}), encoding="utf-8")
    return inspect_folder(folder, str(folder), weights=False)


def planned(facts: ModelFacts, budget: Budget | None = None, **request: Any) -> Situation:
    """A situation on a device of known bandwidth, with a vocabulary in the header."""
    profile = load_profile("jetson-orin-nano-8gb")
    tokens = KeyValue("tokenizer.ggml.tokens", "string", tuple(f"<token {place}>" for place in range(3000)))
    scores = KeyValue("tokenizer.ggml.scores", "float32", (0.5,) * 3000)
    return Situation(
        request=Request(target="jetson", **request),
        facts=facts,
        target=load_target("jetson"),
        profile=profile if budget is None else profile.model_copy(update={"budget": budget}),
        layout=layout(facts),
        header=(*model_metadata(facts, file_type=1, name="a model"), tokens, scores),
        tokenizer_bytes=100_000,
        calibration=None,
        on_this_host=False,
    )
