"""Types of experts dealt out by use: the same types, the same bytes, the sharpest layer first."""

from __future__ import annotations

from collections import Counter

import pytest

from edgeshrink.core.expert_usage import ExpertUsage, LayerUsage
from edgeshrink.core.plan import TensorPlan
from edgeshrink.errors import PlanError
from edgeshrink.planning.expert_types import by_usage

TYPES = ("Q6_K", "Q4_K", "Q6_K", "Q4_K")


def plan(experts: int = 8) -> tuple[TensorPlan, ...]:
    found = [TensorPlan("token_embd.weight", "e", (100, 256), "Q6_K", "embedding")]
    for layer, type in enumerate(TYPES):
        name, shape = f"blk.{layer}", (experts, 256, 256) if experts else (256, 256)
        found.append(TensorPlan(f"{name}.ffn_gate_inp.weight", "r", (8, 256), "F32", "router"))
        found.append(TensorPlan(f"{name}.ffn_up_exps.weight", "u", shape, "Q4_K", "base", experts=experts))
        found.append(TensorPlan(f"{name}.ffn_down_exps.weight", "d", shape, type, "mix", experts=experts))
    return tuple(found)


def usage(*sharpness: float) -> ExpertUsage:
    return ExpertUsage(2, 100, "", tuple(LayerUsage((0.125,) * 8, value) for value in sharpness))


def downs(tensors: tuple[TensorPlan, ...]) -> list[str]:
    return [tensor.type for tensor in tensors if "ffn_down_exps" in tensor.name]


def test_the_sharpest_layers_get_the_most_bits() -> None:
    assert downs(by_usage(plan(), usage(0.5, 0.9, 0.6, 0.7))) == ["Q4_K", "Q6_K", "Q4_K", "Q6_K"]


def test_layers_used_alike_keep_what_the_mix_gives_its_first() -> None:
    assert downs(by_usage(plan(), usage(0.5, 0.5, 0.5, 0.5))) == ["Q6_K", "Q6_K", "Q4_K", "Q4_K"]


def test_bytes_types_and_every_other_tensor_stay() -> None:
    before, after = plan(), by_usage(plan(), usage(0.1, 0.2, 0.3, 0.4))
    assert sum(tensor.nbytes for tensor in before) == sum(tensor.nbytes for tensor in after)
    assert Counter(tensor.type for tensor in before) == Counter(tensor.type for tensor in after)
    moved = [new.name for old, new in zip(before, after, strict=True) if old != new]
    assert moved and all("ffn_down_exps" in name for name in moved)


def test_what_nobody_counted_is_said_with_what_to_do() -> None:
    with pytest.raises(PlanError, match="nobody knows how its experts are used") as refused:
        by_usage(plan(), None)
    assert "prune MODEL --experts" in (refused.value.hint or "")


def test_a_dense_model_is_refused() -> None:
    with pytest.raises(PlanError, match="this model has none"):
        by_usage(plan(experts=0), usage(0.5, 0.5, 0.5, 0.5))
