"""A source's weights in the decoder, tensor by tensor. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.core.architectures import ARCHITECTURES
from edgeshrink.core.model import ModelFacts, SourceTensor
from edgeshrink.errors import DataError
from edgeshrink.export.executorch.decoder import Decoder, HeadNorm, Shape, TurnedHeads
from edgeshrink.planning.rotary_tables import rotary_tables


def load_decoder(facts: ModelFacts, context: int) -> Decoder:
    """The source's decoder in float32 with a cache of `context` positions; tied embeddings are one Parameter.

    DataError where a tensor is missing, has another shape than the configuration says, or ends early.
    """
    cosines, sines = (
        torch.from_numpy(table)
        for table in rotary_tables(context, facts.head_dim, facts.rope_theta, facts.rope_scaling)
    )
    with torch.device("meta"):  # the weights come from the source: none is made up first
        module = Decoder(decoder_shape(facts, context), cosines, sines)
    source = _Source({tensor.name: tensor for tensor in facts.tensors}, facts)
    source.fill(module.embedding, "weight", "model.embed_tokens.weight")
    for number, layer in enumerate(module.layers):
        prefix = f"model.layers.{number}."
        source.fill(layer.attention_norm, "weight", f"{prefix}input_layernorm.weight")
        source.fill(layer.ffn_norm, "weight", f"{prefix}post_attention_layernorm.weight")
        source.fill_halves(layer.attention.q, f"{prefix}self_attn.q")
        source.fill_halves(layer.attention.k, f"{prefix}self_attn.k")
        source.fill_linear(layer.attention.v, f"{prefix}self_attn.v_proj")
        source.fill_linear(layer.attention.o, f"{prefix}self_attn.o_proj")
        for part in ("gate", "up", "down"):
            source.fill_linear(getattr(layer.ffn, part), f"{prefix}mlp.{part}_proj")
    source.fill(module.norm, "weight", "model.norm.weight")
    if facts.tied_embeddings:
        module.head.weight = module.embedding.weight
    else:
        source.fill_linear(module.head, "lm_head")
    return module.eval()


def decoder_shape(facts: ModelFacts, context: int) -> Shape:
    """What the configuration says of the decoder."""
    row = ARCHITECTURES[facts.model_type]
    return Shape(
        layers=facts.n_layers,
        hidden=facts.hidden_size,
        ffn=facts.ffn_size,
        heads=facts.n_heads,
        kv_heads=facts.n_kv_heads,
        head_dim=facts.head_dim,
        vocabulary=facts.vocab_size,
        context=context,
        eps=facts.rms_norm_eps,
        qkv_bias=row.has(row.qkv_bias, facts.config),
        output_bias=row.has(row.output_bias, facts.config),
        ffn_bias=row.has(row.mlp_bias, facts.config),
        qk_norm=row.qk_norm,
    )


class _Source:
    """Reads tensors by name and puts them where they belong."""

    def __init__(self, tensors: Mapping[str, SourceTensor], facts: ModelFacts) -> None:
        self._tensors = tensors
        self._facts = facts

    def fill(self, module: nn.Module, attribute: str, name: str) -> None:
        self._put(module, attribute, self._read(name), name)

    def fill_linear(self, module: nn.Linear, name: str) -> None:
        self.fill(module, "weight", f"{name}.weight")
        if module.bias is not None:
            self.fill(module, "bias", f"{name}.bias")

    def fill_halves(self, module: TurnedHeads, name: str) -> None:
        """Rows of a projection, sorted: the first halves of all heads, then the second ones."""
        self._put_halves(module, "weight", self._read(f"{name}_proj.weight"), f"{name}_proj.weight")
        if module.low.bias is not None:
            self._put_halves(module, "bias", self._read(f"{name}_proj.bias"), f"{name}_proj.bias")
        if isinstance(module.norm, HeadNorm):
            low, high = self._read(f"{name}_norm.weight").chunk(2)
            self._put(module.norm, "low", low.clone(), f"{name}_norm.weight")
            self._put(module.norm, "high", high.clone(), f"{name}_norm.weight")

    def _put_halves(self, module: TurnedHeads, attribute: str, rows: Tensor, name: str) -> None:
        try:
            halves = rows.unflatten(0, (module.heads, 2, self._facts.head_dim // 2))
        except RuntimeError:
            raise DataError(
                f"{self._facts.source.path}: {name} has shape {list(rows.shape)}, not {module.heads} heads"
            ) from None
        for half, linear in enumerate((module.low, module.high)):
            self._put(linear, attribute, halves[:, half].flatten(0, 1).contiguous(), name)

    def _put(self, module: nn.Module, attribute: str, value: Tensor, name: str) -> None:
        wanted = getattr(module, attribute).shape
        if value.shape != wanted:
            raise DataError(
                f"{self._facts.source.path}: {name} has shape {list(value.shape)}, config.json says {list(wanted)}"
            )
        setattr(module, attribute, nn.Parameter(value, requires_grad=False))

    def _read(self, name: str) -> Tensor:
        tensor = self._tensors.get(name)
        if tensor is None:
            raise DataError(f"{self._facts.source.path}: {name} is missing from the weight files")
        return torch.from_numpy(read_rows(tensor)).reshape(tensor.shape)
