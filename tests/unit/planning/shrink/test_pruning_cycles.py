"""The way to a goal in cycles of pruning and healing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shrunk_models import KINDS

from edgeshrink.core.model import ModelFacts
from edgeshrink.core.shape import Shape
from edgeshrink.errors import PlanError
from edgeshrink.planning.shrink.cycles import cycles
from edgeshrink.planning.shrink.shaped import check_shape, parameters


@settings(deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    layers=st.integers(1, 8),
    ffn=st.integers(1, 40).map(lambda step: 64 * step),
    groups=st.integers(1, 2),
    hidden=st.integers(14, 27).map(lambda step: 32 * step),
    n=st.integers(1, 6),
)
def test_every_cycle_is_smaller_than_the_one_before_and_can_be_built(
    models: dict[str, ModelFacts], kind: str, layers: int, ffn: int, groups: int, hidden: int, n: int
) -> None:
    facts = models[kind]
    whole = Shape.of(facts)
    heads = groups * whole.group
    width = heads * whole.head_dim if kind == "qwen2" else hidden
    goal = replace(whole, layers=layers, ffn=ffn, heads=heads, kv_heads=groups, hidden=width)
    way = cycles(facts, goal, n)
    assert 1 <= len(way) <= n and way[-1] == goal
    for before, after in zip((whole, *way), way, strict=False):
        check_shape(facts, after)
        for name in ("layers", "ffn", "heads", "hidden"):
            assert getattr(after, name) <= getattr(before, name)
        assert parameters(facts, after) < parameters(facts, before)
        assert after.ffn % 32 == 0


def test_each_takes_about_the_same_share_of_what_is_left(models: dict[str, ModelFacts]) -> None:
    facts = models["llama"]
    goal = replace(Shape.of(facts), layers=6, ffn=1408)
    assert [(shape.layers, shape.ffn) for shape in cycles(facts, goal, 3)] == [(7, 2240), (7, 1760), (6, 1408)]


def test_one_cycle_is_one_shot(models: dict[str, ModelFacts]) -> None:
    goal = replace(Shape.of(models["llama"]), layers=3)
    assert cycles(models["llama"], goal, 1) == (goal,)


def test_there_are_no_more_cycles_than_steps(models: dict[str, ModelFacts]) -> None:
    goal = replace(Shape.of(models["llama"]), layers=7)
    assert cycles(models["llama"], goal, 5) == (goal,)


@pytest.mark.parametrize(
    ("changes", "n", "said"),
    [({"layers": 13}, 2, "more layers"), ({"vocab": 10}, 2, "keeps the vocabulary"), ({"layers": 2}, 0, "no number")],
)
def test_a_way_that_leads_nowhere_is_refused(
    changes: dict[str, int], n: int, said: str, models: dict[str, ModelFacts], tmp_path: Path
) -> None:
    goal = replace(Shape.of(models["llama"]), **changes)
    with pytest.raises(PlanError, match=said):
        cycles(models["llama"], goal, n)
