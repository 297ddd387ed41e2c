"""The architectures that edgeshrink builds, one row each. A new model family of the same shape is a new row here.

`hf_classes` are the classes of transformers whose weights fit the row. What a bias depends on is "never", "always"
or the key of config.json that says so. Facts from transformers' modeling files and llama.cpp's `src/models`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ExpertNames:
    """How a family of mixtures of experts spells its experts: keys of config.json, and tensors below a layer.

    `matrices` are gate, up and down of one expert, `<block>.experts.<number>.<matrix>.weight`; in a file that keeps
    them in one tensor, gate and up are `mlp.experts.gate_up_proj`, down `mlp.experts.down_proj`.
    """

    count: tuple[str, ...]
    """The first of these keys that is there says how many experts a layer has."""
    ffn: str
    block: str
    matrices: tuple[str, str, str]
    shared_ffn: str = ""
    """The key of the shared expert's width; "": there is none."""
    normed: str = "always"
    """Whether the weights of the used experts are scaled to a sum of 1: "always" or the key that says so."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """One model family: how its parts are called, shaped and laid out in a GGUF."""

    model_type: str
    hf_classes: tuple[str, ...]
    gguf_name: str
    """llama.cpp's name for it; the prefix of its keys."""
    permutes_rotary: bool
    """True: llama.cpp rotates neighbouring pairs here, so rows of q and k are reordered on the way."""
    qkv_bias: str
    output_bias: str
    mlp_bias: str
    qk_norm: bool
    free_head_dim: bool = True
    """False: llama.cpp takes heads * head_dim == hidden_size only."""
    unloadable: tuple[str, ...] = ()
    """Switches of config.json that llama.cpp has no tensor for, when true."""
    default_kv_heads: int | None = None
    """transformers' own default where config.json has no num_key_value_heads; None: as many as heads."""
    experts: ExpertNames | None = None
    """None: one feed-forward a layer."""
    on: tuple[str, ...] = ()
    """Switches that are on where config.json says nothing of them."""
    fixed: tuple[tuple[str, bool, bool], ...] = ()
    """Switches of config.json that llama.cpp computes one way: (key, that way, transformers' default)."""

    def has(self, bias: str, config: Mapping[str, Any]) -> bool:
        """Whether a bias that depends on `bias` is there."""
        return bias == "always" or (bias != "never" and bool(config.get(bias, bias in self.on)))


_TABLE = (
    Architecture(
        model_type="llama",
        hf_classes=("LlamaForCausalLM",),
        gguf_name="llama",
        permutes_rotary=True,
        qkv_bias="attention_bias",
        output_bias="attention_bias",
        mlp_bias="mlp_bias",
        qk_norm=False,
    ),
    Architecture(
        model_type="mistral",
        hf_classes=("MistralForCausalLM",),
        gguf_name="llama",
        permutes_rotary=True,
        qkv_bias="never",
        output_bias="never",
        mlp_bias="never",
        qk_norm=False,
        default_kv_heads=8,
    ),
    Architecture(
        model_type="qwen2",
        hf_classes=("Qwen2ForCausalLM",),
        gguf_name="qwen2",
        permutes_rotary=False,
        qkv_bias="always",
        output_bias="never",
        mlp_bias="never",
        qk_norm=False,
        free_head_dim=False,
        default_kv_heads=32,
    ),
    Architecture(
        model_type="qwen3",
        hf_classes=("Qwen3ForCausalLM",),
        gguf_name="qwen3",
        permutes_rotary=False,
        qkv_bias="never",
        output_bias="never",
        mlp_bias="never",
        qk_norm=True,
        unloadable=("attention_bias",),
        default_kv_heads=32,
    ),
    Architecture(
        model_type="mixtral",
        hf_classes=("MixtralForCausalLM",),
        gguf_name="llama",
        permutes_rotary=True,
        qkv_bias="never",
        output_bias="never",
        mlp_bias="never",
        qk_norm=False,
        default_kv_heads=8,
        experts=ExpertNames(
            count=("num_local_experts",),
            ffn="intermediate_size",
            block="block_sparse_moe",
            matrices=("w1", "w3", "w2"),
        ),
    ),
    Architecture(
        model_type="qwen2_moe",
        hf_classes=("Qwen2MoeForCausalLM",),
        gguf_name="qwen2moe",
        permutes_rotary=False,
        qkv_bias="qkv_bias",
        output_bias="never",
        mlp_bias="never",
        qk_norm=False,
        free_head_dim=False,
        default_kv_heads=16,
        experts=ExpertNames(
            count=("num_experts", "num_local_experts"),
            ffn="moe_intermediate_size",
            block="mlp",
            matrices=("gate_proj", "up_proj", "down_proj"),
            shared_ffn="shared_expert_intermediate_size",
            normed="norm_topk_prob",
        ),
        on=("qkv_bias",),
        fixed=(("norm_topk_prob", False, False),),
    ),
    Architecture(
        model_type="qwen3_moe",
        hf_classes=("Qwen3MoeForCausalLM",),
        gguf_name="qwen3moe",
        permutes_rotary=False,
        qkv_bias="never",
        output_bias="never",
        mlp_bias="never",
        qk_norm=True,
        unloadable=("attention_bias",),
        default_kv_heads=4,
        experts=ExpertNames(
            count=("num_experts", "num_local_experts"),
            ffn="moe_intermediate_size",
            block="mlp",
            matrices=("gate_proj", "up_proj", "down_proj"),
            normed="norm_topk_prob",
        ),
        fixed=(("norm_topk_prob", True, False),),
    ),
)

ARCHITECTURES: dict[str, Architecture] = {row.model_type: row for row in _TABLE}


def architecture_of_gguf(name: str, *, experts: bool = False) -> Architecture | None:
    """The first row that llama.cpp knows as `name`, with `experts` or without ("llama": also a Mistral, a Mixtral)."""
    return next((row for row in _TABLE if row.gguf_name == name and (row.experts is not None) is experts), None)
