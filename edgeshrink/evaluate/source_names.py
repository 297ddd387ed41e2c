"""What the weights of a decoder layer are called in the source: by Hugging Face's convention, and by GGUF's.

Hugging Face has one tensor a matrix and expert ({} is the expert's number), GGUF one a matrix for all experts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeshrink.core.architectures import ARCHITECTURES
from edgeshrink.core.model import ModelFacts, SourceTensor

_GATED = ("gate", "up", "down")
_PARTS = {
    "huggingface": {
        "embedding": "model.embed_tokens.weight",
        "final_norm": "model.norm.weight",
        "head": "lm_head.weight",
        "layer": "model.layers.{}.",
        "attention_norm": "input_layernorm.weight",
        "q": "self_attn.q_proj",
        "k": "self_attn.k_proj",
        "v": "self_attn.v_proj",
        "o": "self_attn.o_proj",
        "q_norm": "self_attn.q_norm.weight",
        "k_norm": "self_attn.k_norm.weight",
        "ffn_norm": "post_attention_layernorm.weight",
        "gate": "mlp.gate_proj",
        "up": "mlp.up_proj",
        "down": "mlp.down_proj",
        "shared_gate": "mlp.shared_expert.gate_proj",
        "shared_up": "mlp.shared_expert.up_proj",
        "shared_down": "mlp.shared_expert.down_proj",
        "shared_router": "mlp.shared_expert_gate",
    },
    "gguf": {
        "embedding": "token_embd.weight",
        "final_norm": "output_norm.weight",
        "head": "output.weight",
        "layer": "blk.{}.",
        "attention_norm": "attn_norm.weight",
        "q": "attn_q",
        "k": "attn_k",
        "v": "attn_v",
        "o": "attn_output",
        "q_norm": "attn_q_norm.weight",
        "k_norm": "attn_k_norm.weight",
        "ffn_norm": "ffn_norm.weight",
        "gate": "ffn_gate",
        "up": "ffn_up",
        "down": "ffn_down",
        "router": "ffn_gate_inp",
        "expert_gate": "ffn_gate_exps",
        "expert_up": "ffn_up_exps",
        "expert_down": "ffn_down_exps",
        "shared_gate": "ffn_gate_shexp",
        "shared_up": "ffn_up_shexp",
        "shared_down": "ffn_down_shexp",
        "shared_router": "ffn_gate_inp_shexp",
    },
}


@dataclass(frozen=True, slots=True)
class SourceWeights:
    """Finds a source's tensors by what they do."""

    parts: Mapping[str, str]
    tensors: Mapping[str, SourceTensor]

    @classmethod
    def of(cls, facts: ModelFacts) -> SourceWeights:
        parts = {**_PARTS[facts.source.kind], **_expert_parts(facts)}
        return cls(parts, {tensor.name: tensor for tensor in facts.tensors})

    def whole(self, part: str) -> SourceTensor | None:
        """A tensor outside the layers."""
        return self.tensors.get(self.parts[part])

    def in_layer(self, layer: int, part: str, suffix: str = "") -> SourceTensor | None:
        """A tensor of one layer; `suffix` is ".weight" or ".bias" for the matrices."""
        return self.tensors.get(self.name(layer, part, suffix))

    def name(self, layer: int, part: str, suffix: str = "") -> str:
        """What a tensor of one layer is called; an expert's number is left open where each has a tensor."""
        return self.parts["layer"].format(layer) + self.parts[part] + suffix


def _expert_parts(facts: ModelFacts) -> dict[str, str]:
    """Families of Hugging Face spell their experts differently."""
    names = ARCHITECTURES[facts.model_type].experts
    if facts.source.kind != "huggingface" or names is None:
        return {}
    each = {
        f"expert_{part}": f"{names.block}.experts.{{}}.{matrix}"
        for part, matrix in zip(_GATED, names.matrices, strict=True)
    }
    return {"router": f"{names.block}.gate", **each}
