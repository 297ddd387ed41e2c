"""Which layers' experts get the better of a scheme's types: those that are used most sharply. Pure.

A GGUF has one tensor, so one type, for all experts of a layer. What several experts of like weight add up to averages
their rounding errors out; where one of them does nearly all, its error stands alone: with weights w that add up to 1,
independent errors of equal size come to sum(w^2) of one's variance, which is what `LayerUsage.sharpness` counts. So the
very types that the scheme's mix gives a role (ffn_down_exps of all layers) are dealt out anew, most bits to the
sharpest layer. The file keeps its size, to the byte.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace

from edgeshrink.core.expert_usage import USAGE_FILE, ExpertUsage
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.quant_types import storage_type
from edgeshrink.errors import PlanError

_NAME = re.compile(r"blk\.(\d+)\.(.+)")
_WHY = "by use of its experts"


def by_usage(tensors: tuple[TensorPlan, ...], usage: ExpertUsage | None) -> tuple[TensorPlan, ...]:
    """The same tensors in the same order; those of stacked experts with their role's types dealt out by sharpness, the
    rest as they are. PlanError where nobody counted the usage, or the model has no experts."""
    roles: dict[str, list[int]] = defaultdict(list)
    for index, tensor in enumerate(tensors):
        match = _NAME.fullmatch(tensor.name)
        if tensor.experts and match is not None:
            roles[match[2]].append(index)
    if not roles:
        raise PlanError(
            "--expert-types usage is of mixtures of experts, and this model has none", hint="leave --expert-types out"
        )
    if usage is None:
        raise PlanError(
            f"the model's folder has no {USAGE_FILE}, so nobody knows how its experts are used",
            hint="`edgeshrink prune MODEL --experts N` counts it; N may be all of them",
        )
    dealt = list(tensors)
    for places in roles.values():
        by_sharpness = sorted(places, key=lambda index: -usage.layers[_layer(tensors[index])].sharpness)
        by_size = sorted((tensors[index] for index in places), key=lambda tensor: -_bits(tensor))
        for index, like in zip(by_sharpness, by_size, strict=True):
            if tensors[index].type != like.type:
                dealt[index] = replace(tensors[index], type=like.type, why=f"{like.type} {_WHY}")
    return tuple(dealt)


def _layer(tensor: TensorPlan) -> int:
    match = _NAME.fullmatch(tensor.name)
    assert match is not None
    return int(match[1])


def _bits(tensor: TensorPlan) -> int:
    return storage_type(tensor.type).row_bytes(tensor.shape[-1])
