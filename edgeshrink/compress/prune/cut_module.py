"""A cut model in memory, from the whole one. Imports torch: for jobs only."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgeshrink.compress.prune.cutting import cut_config
from edgeshrink.compress.prune.tensor_cuts import Indices, tensor_cuts
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.shape import Cut


def cut_module(whole: Any, facts: ModelFacts, cut: Cut) -> Any:
    """`whole` (transformers' model of `facts`), cut as `apply_cut` would; tensors that are kept whole are shared."""
    from transformers import AutoConfig, AutoModelForCausalLM

    there = whole.state_dict()
    state = {part.name: _part(there[part.source], part.rows, part.columns) for part in tensor_cuts(facts, cut)}
    if facts.tied_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    with torch.device("meta"):  # no memory for weights that are replaced at once
        model = AutoModelForCausalLM.from_config(
            AutoConfig.for_model(**cut_config(facts, cut)),
            attn_implementation=whole.config._attn_implementation,
            trust_remote_code=False,
        )
    model.load_state_dict(state, assign=True)
    model.model.rotary_emb = whole.model.rotary_emb  # its buffers are in no state; heads keep their size
    return model.eval().requires_grad_(False)


def _part(tensor: Tensor, rows: Indices | None, columns: Indices | None) -> Tensor:
    if rows is not None:
        tensor = tensor.index_select(0, torch.from_numpy(rows))
    if columns is not None:
        tensor = tensor.index_select(-1, torch.from_numpy(columns))
    return tensor
