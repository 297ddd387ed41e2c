"""The source model in numpy: an implementation of its own, against which the finished file's logits are held.

llama, mistral, qwen2, qwen3 and their mixtures of experts in float32: RMSNorm, rotary attention over grouped heads with
optional biases and query/key norms, SwiGLU, tied or separate output matrix. Weights are read a slice at a time, so
memory stays bounded whatever the model's size; time does not, therefore `too_costly` is asked first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.core.adapter import Adapter, LowRank
from edgeshrink.core.importance import Floats
from edgeshrink.core.model import ModelFacts, SourceTensor, of_experts
from edgeshrink.errors import DataError
from edgeshrink.evaluate.source_experts import mixture
from edgeshrink.evaluate.source_matrices import gated, multiply, need, vector
from edgeshrink.evaluate.source_names import SourceWeights
from edgeshrink.planning.rotary_tables import rotary_tables

FLOP_LIMIT = 3e11
_INTERLEAVED_IN_GGUF = ("llama", "mistral", "mixtral")


def source_flop(facts: ModelFacts, tokens: int) -> float:
    """Floating-point operations of a forward pass: two a weight and token, of the experts that a token is sent to, and
    the attention products."""
    share = 1.0 if facts.experts is None else facts.experts.used / facts.experts.count
    weights = sum(
        math.prod(tensor.shape) * (share if of_experts(tensor.name) else 1.0)
        for tensor in facts.tensors
        if len(tensor.shape) > 1
    )
    looked_up = 0 if facts.tied_embeddings else facts.vocab_size * facts.hidden_size  # the input embedding
    attention = 4.0 * facts.n_layers * tokens * facts.n_heads * facts.head_dim
    return tokens * (2.0 * (weights - looked_up) + attention)


def too_costly(facts: ModelFacts, tokens: int, *, flop_limit: float = FLOP_LIMIT) -> str | None:
    """Why the source is not run in numpy over so many tokens; None where it can be."""
    if not facts.has_weights:
        return "the source has no weights at hand"
    window = facts.config.get("sliding_window")
    if isinstance(window, int) and facts.config.get("use_sliding_window", True) and tokens > window:
        return f"{tokens} tokens reach beyond the sliding window of {window}"
    flop = source_flop(facts, tokens)
    if flop > flop_limit:
        return f"the source in numpy takes {flop:.1e} operations over {tokens} tokens, allowed are {flop_limit:.0e}"
    return None


def source_logits(facts: ModelFacts, tokens: Sequence[int], adapter: Adapter | None = None) -> Floats:
    """Logits (n, vocabulary) of the source for `tokens` at positions 0 to n - 1, float32. With an `adapter`, every
    layer that it updates also adds alpha / rank times B (A x).

    DataError where a tensor of the architecture is missing, or an adapter's weights are not called as the source's are;
    ValueError for a rotary scaling unknown here.
    """
    updates = {} if adapter is None else {update.weight: update for update in adapter.updates}
    if not updates.keys() <= {tensor.name for tensor in facts.tensors}:
        raise DataError("the adapter's updates have other names than the source's tensors")
    forward = _Forward.of(facts, len(tokens))
    return replace(forward, updates=updates, scale=1.0 if adapter is None else adapter.scale).run(tokens)


@dataclass(frozen=True, slots=True)
class _Forward:
    facts: ModelFacts
    weights: SourceWeights
    cosines: Floats
    sines: Floats
    interleaved: bool
    updates: Mapping[str, LowRank] = field(default_factory=dict)
    scale: float = 1.0

    @classmethod
    def of(cls, facts: ModelFacts, positions: int) -> _Forward:
        weights = SourceWeights.of(facts)
        is_gguf = facts.source.kind == "gguf"
        factors = weights.tensors.get("rope_freqs.weight") if is_gguf else None
        cosines, sines = rotary_tables(
            positions,
            facts.head_dim,
            facts.rope_theta,
            facts.rope_scaling,
            None if factors is None else vector(factors),
        )
        return cls(facts, weights, cosines, sines, is_gguf and facts.model_type in _INTERLEAVED_IN_GGUF)

    def run(self, tokens: Sequence[int]) -> Floats:
        embedding = need(self.weights.whole("embedding"), self.weights.parts["embedding"])
        state = np.concatenate([read_rows(embedding, token, token + 1) for token in tokens])
        for layer in range(self.facts.n_layers):
            state = state + self._attention(layer, self._norm(state, self._layer_tensor(layer, "attention_norm")))
            state = state + self._feed_forward(layer, self._norm(state, self._layer_tensor(layer, "ffn_norm")))
        state = self._norm(state, need(self.weights.whole("final_norm"), self.weights.parts["final_norm"]))
        return multiply(state, self.weights.whole("head") or embedding)

    def _attention(self, layer: int, state: Floats) -> Floats:
        facts, length = self.facts, len(state)
        group = facts.n_heads // facts.n_kv_heads
        q = self._project(layer, "q", state).reshape(length, facts.n_heads, facts.head_dim)
        k = self._project(layer, "k", state).reshape(length, facts.n_kv_heads, facts.head_dim)
        v = self._project(layer, "v", state).reshape(length, facts.n_kv_heads, facts.head_dim)
        q = self._rotate(self._head_norm(layer, "q_norm", q))
        k = self._rotate(self._head_norm(layer, "k_norm", k))
        hidden = np.triu(np.full((length, length), -np.inf, dtype=np.float32), 1)
        mixed = np.empty((length, facts.n_heads, facts.head_dim), dtype=np.float32)
        for head in range(facts.n_heads):
            scores = q[:, head] @ k[:, head // group].T / np.float32(math.sqrt(facts.head_dim)) + hidden
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            mixed[:, head] = scores / scores.sum(axis=-1, keepdims=True) @ v[:, head // group]
        return self._project(layer, "o", mixed.reshape(length, -1))

    def _feed_forward(self, layer: int, state: Floats) -> Floats:
        if self.facts.experts is not None:
            return mixture(self.weights, layer, self.facts.experts, state)
        inner = gated(self._project(layer, "gate", state), self._project(layer, "up", state))
        return self._project(layer, "down", inner)

    def _rotate(self, heads: Floats) -> Floats:
        half = self.facts.head_dim // 2
        first, second = (slice(0, None, 2), slice(1, None, 2)) if self.interleaved else (slice(half), slice(half, None))
        a, b = heads[..., first], heads[..., second]
        cosines, sines = self.cosines[:, None], self.sines[:, None]
        turned = np.empty_like(heads)
        turned[..., first] = a * cosines - b * sines
        turned[..., second] = b * cosines + a * sines
        return turned

    def _head_norm(self, layer: int, part: str, heads: Floats) -> Floats:
        tensor = self.weights.in_layer(layer, part)
        return heads if tensor is None else self._norm(heads, tensor)

    def _norm(self, state: Floats, weight: SourceTensor) -> Floats:
        mean_square: Floats = np.mean(state * state, axis=-1, keepdims=True, dtype=np.float32)
        scale: Floats = np.sqrt(mean_square + np.float32(self.facts.rms_norm_eps)).astype(np.float32)
        return vector(weight) * (state / scale)

    def _project(self, layer: int, part: str, state: Floats) -> Floats:
        weight = self._layer_tensor(layer, part, ".weight")
        out = multiply(state, weight)
        if update := self.updates.get(weight.name):
            out += np.float32(self.scale) * multiply(multiply(state, update.a), update.b)
        bias = self.weights.in_layer(layer, part, ".bias")
        return out if bias is None else out + vector(bias)

    def _layer_tensor(self, layer: int, part: str, suffix: str = "") -> SourceTensor:
        return need(self.weights.in_layer(layer, part, suffix), self.weights.name(layer, part, suffix))
