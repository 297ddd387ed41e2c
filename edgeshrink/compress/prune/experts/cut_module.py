"""A mixture whose experts are cut in memory for a while. Imports torch: for jobs only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from edgeshrink.compress.prune.experts.alignment import Matrices
from edgeshrink.compress.prune.experts.combining import combined, router_rows
from edgeshrink.compress.prune.experts.cut import ExpertCut


@contextlib.contextmanager
def cut_experts(model: Any, cut: ExpertCut) -> Iterator[None]:
    """`model` (transformers', frozen, float32) has the experts of `cut`, as `apply_expert_cut` would write them; its
    own again when the block ends."""
    blocks = [layer.mlp for layer in model.model.layers]
    before = [(block.gate.weight, block.experts.gate_up_proj, block.experts.down_proj) for block in blocks]
    try:
        for block, layer in zip(blocks, cut.layers, strict=True):
            made = [combined(new, partial(_matrices, block.experts)) for new in layer]
            gate_up = np.stack([np.concatenate((gate, up)) for gate, up, _ in made])
            rows = router_rows(block.gate.weight.numpy(), layer)
            _hang(block, _frozen(rows), _frozen(gate_up), _frozen(np.stack([down for _, _, down in made])))
        yield
    finally:
        for block, held in zip(blocks, before, strict=True):
            _hang(block, *held)


def _matrices(experts: Any, number: int) -> Matrices:
    gate, up = np.split(experts.gate_up_proj[number].numpy(), 2)
    return gate, up, experts.down_proj[number].numpy()


def _frozen(values: Any) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.ascontiguousarray(values)), requires_grad=False)


def _hang(block: Any, router: nn.Parameter, gate_up: nn.Parameter, down: nn.Parameter) -> None:
    block.gate.weight, block.experts.gate_up_proj, block.experts.down_proj = router, gate_up, down
    block.gate.num_experts = block.experts.num_experts = len(router)
