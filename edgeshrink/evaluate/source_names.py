"""What the weights of a decoder layer are called in the source: by Hugging Face's convention, and by GGUF's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeshrink.core.model import ModelFacts, SourceTensor

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
    },
}


@dataclass(frozen=True, slots=True)
class SourceWeights:
    """Finds a source's tensors by what they do."""

    parts: Mapping[str, str]
    tensors: Mapping[str, SourceTensor]

    @classmethod
    def of(cls, facts: ModelFacts) -> SourceWeights:
        return cls(_PARTS[facts.source.kind], {tensor.name: tensor for tensor in facts.tensors})

    def whole(self, part: str) -> SourceTensor | None:
        """A tensor outside the layers."""
        return self.tensors.get(self.parts[part])

    def in_layer(self, layer: int, part: str, suffix: str = "") -> SourceTensor | None:
        """A tensor of one layer; `suffix` is ".weight" or ".bias" for the matrices."""
        return self.tensors.get(self.parts["layer"].format(layer) + self.parts[part] + suffix)
