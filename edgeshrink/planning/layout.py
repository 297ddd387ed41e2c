"""Every tensor of the GGUF, from the configuration alone: its name, its source, its shape and what happens to it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from edgeshrink.core.architectures import ARCHITECTURES, Architecture, ExpertNames
from edgeshrink.core.model import Experts, ModelFacts
from edgeshrink.core.plan import TensorPlan, Transform
from edgeshrink.errors import DataError
from edgeshrink.planning.rope_factors import ROPE_FREQS, computed_tensors, rope_factor_count

__all__ = ["check_source", "computed_tensors", "layout", "parameter_count"]

_COMPUTED_WHY = "computed from the configuration"
_VECTOR_WHY = "one-dimensional tensors stay F32"
_SOURCE_WHY = "as in the source"
_ROUTER = ".gate.weight"
_ROUTER_WHY = "a router"
# Never part of the model: buffers that old transformers versions saved.
_BUFFERS = (".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias")


@dataclass(frozen=True, slots=True)
class _Part:
    """One tensor as transformers names it; of each expert, where there are any."""

    source: str
    shape: tuple[int, ...]
    transform: Transform = "none"
    heads: int = 0
    experts: int = 0


def layout(facts: ModelFacts) -> tuple[TensorPlan, ...]:
    """All tensors in file order, unquantized: F32 for vectors, else the source's type."""
    if facts.source.kind == "gguf":
        return tuple(
            TensorPlan(tensor.name, tensor.name, tensor.shape, tensor.dtype, _SOURCE_WHY) for tensor in facts.tensors
        )
    row = ARCHITECTURES[facts.model_type]
    names = _Names(row, facts.n_layers)
    dtypes = {tensor.name: tensor.dtype for tensor in facts.tensors}
    plans = []
    for part in _parts(facts, row):
        kind, why = "F32", _VECTOR_WHY
        if part.source.endswith(_ROUTER):
            why = _ROUTER_WHY
        elif len(part.shape) > 1:
            kind, why = dtypes.get(part.source.format(0), facts.dtype), _SOURCE_WHY
        name = names.of(part.source.replace(".{}", ""))
        plans.append(TensorPlan(name, part.source, part.shape, kind, why, part.transform, part.heads, part.experts))
    factors = rope_factor_count(facts)
    if factors:
        plans.insert(1, TensorPlan(ROPE_FREQS, "", (factors,), "F32", _COMPUTED_WHY))
    return tuple(plans)


def parameter_count(facts: ModelFacts) -> int:
    """How many weights the model has; tied embeddings count once."""
    if facts.source.kind == "gguf":
        return sum(math.prod(tensor.shape) for tensor in facts.tensors)
    return sum(math.prod(part.shape) for part in _parts(facts, ARCHITECTURES[facts.model_type]))


def check_source(facts: ModelFacts, tensors: tuple[TensorPlan, ...]) -> None:
    """DataError where the weight files do not hold exactly the tensors that the configuration promises."""
    if not facts.has_weights:
        raise DataError(
            f"{facts.source.path} holds no weights",
            hint="a configuration alone is enough for `edgeshrink plan`; to build, fetch the *.safetensors files too",
        )
    there = {tensor.name: tensor for tensor in facts.tensors}
    wanted = {name: tensor for tensor in tensors for name in tensor.sources}
    missing = [name for name in wanted if name not in there]
    if missing:
        raise DataError(
            f"{facts.source.path}: {_some(missing)} missing from the weight files, though config.json calls for it",
            hint="fetch the folder again; where lm_head.weight is missing, look at tie_word_embeddings in config.json",
        )
    for name, tensor in wanted.items():
        shape, expected = list(there[name].shape), list(tensor.source_shape)
        if shape != expected:
            raise DataError(f"{there[name].file}: {name} has shape {shape}, config.json says {expected}")
    surplus = [name for name in there if name not in wanted and not _ignorable(name, facts)]
    if surplus:
        raise DataError(
            f"{facts.source.path}: {_some(surplus)} in the weight files, which a {facts.model_type} of this "
            "configuration does not have; leaving weights out would change the model",
            hint="check model_type and the bias and tie switches in config.json",
        )


def _parts(facts: ModelFacts, row: Architecture) -> Iterator[_Part]:
    hidden, ffn, vocab = facts.hidden_size, facts.ffn_size, facts.vocab_size
    yield _Part("model.embed_tokens.weight", (vocab, hidden))
    for block in range(facts.n_layers):
        yield from _block(facts, row, f"model.layers.{block}.", hidden, ffn)
    yield _Part("model.norm.weight", (hidden,))
    if not facts.tied_embeddings:
        yield _Part("lm_head.weight", (vocab, hidden))


def _block(facts: ModelFacts, row: Architecture, prefix: str, hidden: int, ffn: int) -> Iterator[_Part]:
    q_rows, kv_rows = facts.n_heads * facts.head_dim, facts.n_kv_heads * facts.head_dim
    qkv_bias = row.has(row.qkv_bias, facts.config)
    yield _Part(f"{prefix}input_layernorm.weight", (hidden,))
    for letter, rows, heads in (("q", q_rows, facts.n_heads), ("k", kv_rows, facts.n_kv_heads), ("v", kv_rows, 0)):
        transform: Transform = "rope_permute" if row.permutes_rotary and heads else "none"
        turned = heads if transform == "rope_permute" else 0
        name = f"{prefix}self_attn.{letter}_proj"
        yield _Part(f"{name}.weight", (rows, hidden), transform, turned)
        if qkv_bias:
            yield _Part(f"{name}.bias", (rows,), transform, turned)
        if row.qk_norm and heads:
            yield _Part(f"{prefix}self_attn.{letter}_norm.weight", (facts.head_dim,))
    yield _Part(f"{prefix}self_attn.o_proj.weight", (hidden, q_rows))
    if row.has(row.output_bias, facts.config):
        yield _Part(f"{prefix}self_attn.o_proj.bias", (hidden,))
    yield _Part(f"{prefix}post_attention_layernorm.weight", (hidden,))
    if facts.experts is not None and row.experts is not None:
        yield from _mixture(facts.experts, row.experts, prefix, hidden)
        return
    for name, shape in zip(("gate", "up", "down"), _gated(ffn, hidden), strict=True):
        yield _Part(f"{prefix}mlp.{name}_proj.weight", shape)
        if row.has(row.mlp_bias, facts.config):
            yield _Part(f"{prefix}mlp.{name}_proj.bias", shape[:1])


def _mixture(experts: Experts, names: ExpertNames, prefix: str, hidden: int) -> Iterator[_Part]:
    """The router, every expert's matrices as one part, and the shared expert with its gate."""
    block, count = f"{prefix}{names.block}", experts.count
    yield _Part(f"{block}{_ROUTER}", (count, hidden))
    for name, shape in zip(names.matrices, _gated(experts.ffn, hidden), strict=True):
        yield _Part(f"{block}.experts.{{}}.{name}.weight", (count, *shape), experts=count)
    if experts.shared_ffn:
        for name, shape in zip(names.matrices, _gated(experts.shared_ffn, hidden), strict=True):
            yield _Part(f"{block}.shared_expert.{name}.weight", shape)
        yield _Part(f"{block}.shared_expert_gate.weight", (hidden,), "flatten")


def _gated(ffn: int, hidden: int) -> tuple[tuple[int, int], ...]:
    """The shapes of gate, up and down."""
    return (ffn, hidden), (ffn, hidden), (hidden, ffn)


class _Names:
    """transformers' names to GGUF's, by the tables of the `gguf` package."""

    def __init__(self, row: Architecture, n_layers: int) -> None:
        self._map = _name_map(row.gguf_name, n_layers)

    def of(self, source: str) -> str:
        found = self._map.get_name(source, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise DataError(f"the gguf package has no name for tensor {source}")
        return str(found)


@lru_cache(maxsize=8)
def _name_map(gguf_name: str, n_layers: int) -> Any:
    """The package makes it in 7 ms for 24 layers, and a search for shapes lays out hundreds of models."""
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    arch = next(arch for arch, name in MODEL_ARCH_NAMES.items() if name == gguf_name)
    return get_tensor_name_map(arch, n_layers)


def _ignorable(name: str, facts: ModelFacts) -> bool:
    return name.endswith(_BUFFERS) or (name == "lm_head.weight" and facts.tied_embeddings)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"
