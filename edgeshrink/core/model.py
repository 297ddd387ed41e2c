"""What is known of a source model from its configuration and file headers, without touching a weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgeshrink.core.expert_usage import ExpertUsage
from edgeshrink.core.gguf_metadata import KeyValue

SourceKind = Literal["huggingface", "gguf"]


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model came from. `revision` is the hub's commit where there is one."""

    kind: SourceKind
    path: Path
    given: str
    hub_id: str | None = None
    revision: str | None = None
    license: str | None = None


@dataclass(frozen=True, slots=True)
class SourceTensor:
    """One tensor in the source: shape row-major, `dtype` as safetensors or GGUF spell it (BF16, F16, F32)."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    file: Path
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Experts:
    """The feed-forward of every layer of a mixture of experts: `used` of `count` experts of width `ffn` a token, and
    one of width `shared_ffn` that every token goes through (0: none). `normed`: the weights of the used ones are scaled
    to a sum of 1."""

    count: int
    used: int
    ffn: int
    shared_ffn: int = 0
    normed: bool = True


def of_experts(name: str) -> bool:
    """Whether a tensor of that name, in a source or in a GGUF, belongs to experts that only some tokens go through."""
    return ".experts." in name or "_exps." in name


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A source model.

    `model_type` names a row of the architecture table (llama, qwen3, mixtral); `config` is the model's
    config.json, or the GGUF's metadata as key -> value. `tensors` is empty where only a configuration is at hand.
    """

    source: ModelSource
    model_type: str
    n_layers: int
    hidden_size: int
    ffn_size: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    vocab_size: int
    context_length: int
    rms_norm_eps: float
    rope_theta: float
    rope_scaling: Mapping[str, Any] | None
    tied_embeddings: bool
    dtype: str
    config: Mapping[str, Any] = field(repr=False)
    tensors: tuple[SourceTensor, ...] = field(default=(), repr=False)
    tokenizer_files: tuple[Path, ...] = ()
    metadata: tuple[KeyValue, ...] = field(default=(), repr=False)
    """A GGUF source's header, typed and in order; empty for other sources."""
    experts: Experts | None = None
    """None: one feed-forward of `ffn_size` a layer. Else `ffn_size` is what config.json says beside them."""
    expert_usage: ExpertUsage | None = field(default=None, repr=False)
    """How the router spreads its tokens, where somebody counted it."""
    notes: tuple[str, ...] = ()
    """What a reader should know: where the built file will differ from the source by design."""

    @property
    def has_weights(self) -> bool:
        return bool(self.tensors)

    @property
    def kv_bytes_per_token_f16(self) -> int:
        """Bytes that one position takes in an f16 KV cache, all layers."""
        return 2 * 2 * self.n_layers * self.n_kv_heads * self.head_dim
