"""The shapes on the way to a goal, for pruning and healing in turns. Pure."""

from __future__ import annotations

import math
from dataclasses import replace

from edgeshrink.core.architectures import ARCHITECTURES
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.shape import Shape
from edgeshrink.errors import PlanError
from edgeshrink.planning.shrink.shaped import check_shape

_WIDEST_STEP = 32


def cycles(facts: ModelFacts, goal_shape: Shape, n: int) -> tuple[Shape, ...]:
    """At most `n` shapes from `facts` to `goal_shape`, which is the last; each takes the same share of what is left.

    Fewer than `n` where an axis has too few steps between. PlanError where the goal is larger than the model.
    """
    check_shape(facts, goal_shape)
    whole = Shape.of(facts)
    if n < 1:
        raise PlanError(f"{n} is no number of cycles", hint="1 prunes at once")
    _refuse_larger(whole, goal_shape)
    found: dict[Shape, None] = {}
    for turn in range(1, n):
        between = _between(facts, whole, goal_shape, turn / n)
        if between not in (whole, goal_shape):
            found[between] = None
    return (*found, goal_shape)


def _between(facts: ModelFacts, whole: Shape, goal: Shape, part: float) -> Shape:
    groups = _way(whole.kv_heads, goal.kv_heads, part, 1)
    hidden = _way(whole.hidden, goal.hidden, part, _step(whole.hidden, goal.hidden))
    if not ARCHITECTURES[facts.model_type].free_head_dim:
        hidden = groups * whole.group * whole.head_dim
    return replace(
        whole,
        layers=_way(whole.layers, goal.layers, part, 1),
        ffn=_way(whole.ffn, goal.ffn, part, _step(whole.ffn, goal.ffn)),
        hidden=hidden,
        heads=groups * whole.group,
        kv_heads=groups,
    )


def _way(whole: int, goal: int, part: float, step: int) -> int:
    """Between the two by equal factors, in whole steps of `step`, which divides both."""
    return round(whole * math.pow(goal / whole, part) / step) * step


def _step(whole: int, goal: int) -> int:
    return math.gcd(whole, goal, _WIDEST_STEP)


def _refuse_larger(whole: Shape, goal: Shape) -> None:
    names = ("layers", "hidden", "ffn", "heads", "kv_heads")
    larger = [name for name in names if getattr(goal, name) > getattr(whole, name)]
    if larger:
        raise PlanError(f"pruning makes nothing larger, and the goal has more {', '.join(larger)} than the model")
    if (whole.group, whole.head_dim, whole.vocab) != (goal.group, goal.head_dim, goal.vocab):
        raise PlanError("pruning keeps the vocabulary, the head dimension and the heads of each group as they are")
