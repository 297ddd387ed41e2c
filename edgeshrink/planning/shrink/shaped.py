"""A model of other sizes that does not exist yet: its configuration, its facts, and a situation to plan it in. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from edgeshrink.core.architectures import ARCHITECTURES
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.shape import Shape
from edgeshrink.errors import PlanError
from edgeshrink.planning.gguf_metadata import FILE_TYPE, model_metadata
from edgeshrink.planning.layout import layout, parameter_count
from edgeshrink.planning.resolve import Situation

_NAME = "general.name"
_WINDOW_LAYERS = 28  # of qwen2 and qwen3 in transformers, where config.json has no max_window_layers


def check_shape(facts: ModelFacts, shape: Shape) -> None:
    """PlanError where no model like `facts` can have these sizes."""
    if facts.source.kind != "huggingface":
        raise PlanError(
            f"{facts.source.path}: only a Hugging Face folder can be pruned or taught, not a GGUF",
            hint="give the folder (config.json and *.safetensors) that the GGUF was made of",
        )
    if facts.experts is not None:
        raise PlanError(
            f"{facts.source.path}: a mixture of experts is made smaller by its experts, not by layers, heads or widths",
            hint="prune --experts N keeps so many a layer, --expert-ffn W so many channels of each",
        )
    empty = [field.name for field in fields(shape) if getattr(shape, field.name) < 1]
    if empty:
        raise PlanError(f"a model needs at least 1 of everything, and this shape has none of {', '.join(empty)}")
    if shape.heads % shape.kv_heads:
        raise PlanError(f"{shape.heads} query heads cannot share {shape.kv_heads} key-value heads evenly")
    width = shape.heads * shape.head_dim
    if not ARCHITECTURES[facts.model_type].free_head_dim and width != shape.hidden:
        raise PlanError(
            f"{facts.model_type} takes a hidden width of heads * head_dim only: {shape.hidden} is not {width}",
            hint="prune heads and hidden width together, or neither of them",
        )


def shaped_config(facts: ModelFacts, shape: Shape, kept_layers: Sequence[int] | None = None) -> dict[str, Any]:
    """The config.json of `facts` with the sizes of `shape`.

    `kept_layers`: which layers of `facts` are left, ascending; None: the first ones. Lists with an entry a layer, and
    the layer that a window begins at, follow them.
    """
    kept = range(shape.layers) if kept_layers is None else kept_layers
    config = {
        **facts.config,
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.ffn,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "vocab_size": shape.vocab,
    }
    kinds = config.get("layer_types")
    if isinstance(kinds, list):
        config["layer_types"] = [kinds[layer] for layer in kept if layer < len(kinds)]
    unlimited = config.get("max_window_layers", _WINDOW_LAYERS if config.get("use_sliding_window") else None)
    if isinstance(unlimited, int):
        config["max_window_layers"] = sum(layer < unlimited for layer in kept)
    return config


def facts_of(facts: ModelFacts, shape: Shape, kept_layers: Sequence[int] | None = None) -> ModelFacts:
    """What would be known of a model like `facts` with the sizes of `shape`, without weights. PlanError where there
    can be none."""
    check_shape(facts, shape)
    return replace(
        facts,
        n_layers=shape.layers,
        hidden_size=shape.hidden,
        ffn_size=shape.ffn,
        n_heads=shape.heads,
        n_kv_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        vocab_size=shape.vocab,
        config=shaped_config(facts, shape, kept_layers),
        tensors=(),
    )


def parameters(facts: ModelFacts, shape: Shape) -> int:
    """How many weights it has, exactly; tied embeddings count once. All layers have equally many."""
    one, two = (parameter_count(facts_of(facts, replace(shape, layers=layers))) for layers in (1, 2))
    return one + (shape.layers - 1) * (two - one)


def shaped(situation: Situation, shape: Shape) -> Situation:
    """The same request for the model of these sizes: every format plans it, predicts it and takes its header."""
    facts = facts_of(situation.facts, shape)
    own = {entry.key: entry for entry in model_metadata(facts, file_type=0, name="")}
    header = tuple(
        entry if entry.key in (_NAME, FILE_TYPE) else own.get(entry.key, entry) for entry in situation.header
    )
    return replace(situation, facts=facts, layout=layout(facts), header=header)
