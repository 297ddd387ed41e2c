"""The sizes of a decoder that pruning changes, and what was kept of a larger one."""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.core.model import ModelFacts


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a llama-like decoder. `ffn`: width of the feed-forward; a group is one key-value head with its
    `heads / kv_heads` query heads, which stay together."""

    layers: int
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int

    @classmethod
    def of(cls, facts: ModelFacts) -> Shape:
        return cls(
            layers=facts.n_layers,
            hidden=facts.hidden_size,
            ffn=facts.ffn_size,
            heads=facts.n_heads,
            kv_heads=facts.n_kv_heads,
            head_dim=facts.head_dim,
            vocab=facts.vocab_size,
        )

    @property
    def group(self) -> int:
        """Query heads that share one key-value head."""
        return self.heads // self.kv_heads


@dataclass(frozen=True, slots=True)
class Cut:
    """What is kept of a model, by index into it, ascending. `ffn` and `groups` (key-value heads) have one row for each
    kept layer, in that order; all rows of one kind are equally long, since transformers and llama.cpp know one width
    for all layers."""

    layers: tuple[int, ...]
    ffn: tuple[tuple[int, ...], ...]
    groups: tuple[tuple[int, ...], ...]
    hidden: tuple[int, ...]

    def shape(self, before: Shape) -> Shape:
        """The sizes of what is left of `before`."""
        groups = len(self.groups[0])
        return Shape(
            layers=len(self.layers),
            hidden=len(self.hidden),
            ffn=len(self.ffn[0]),
            heads=groups * before.group,
            kv_heads=groups,
            head_dim=before.head_dim,
            vocab=before.vocab,
        )
