"""Which parts to keep for a shape: those with the highest scores. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeshrink.compress.prune.interface import DepthMethod
from edgeshrink.compress.prune.scores import Scores
from edgeshrink.core.shape import Cut, Shape
from edgeshrink.errors import PlanError


def cut_of(scores: Scores, shape: Shape, before: Shape, depth: DepthMethod = "block-influence") -> Cut:
    """The parts of `before` that make `shape`: layers by `depth`, in each of them channels and groups, and one set of
    hidden channels. Of equal scores the first stay.

    PlanError where `shape` is no part of `before`, or what it asks for was not scored.
    """
    _refuse_larger(shape, before)
    if scores.shape != before:
        raise PlanError("these scores are of a model of another shape", hint="score this model first")
    layers = _layers(scores, shape.layers, before.layers, depth)
    return Cut(
        layers=layers,
        ffn=_per_layer(scores.ffn, "ffn", layers, shape.ffn, before.ffn),
        groups=_per_layer(scores.groups, "heads", layers, shape.kv_heads, before.kv_heads),
        hidden=highest(_scored(scores.hidden, "hidden"), shape.hidden)
        if shape.hidden < before.hidden
        else tuple(range(before.hidden)),
    )


def _layers(scores: Scores, kept: int, there: int, depth: DepthMethod) -> tuple[int, ...]:
    if kept == there:
        return tuple(range(there))
    if depth == "block-influence":
        return highest(_scored(scores.layers, depth), kept)
    if len(scores.order) < there - kept:
        raise PlanError(
            f"measured-kl has ordered {len(scores.order)} layers for removal, {there - kept} are to go",
            hint="score with measured-kl, or choose block-influence",
        )
    gone = set(scores.order[: there - kept])
    return tuple(number for number in range(there) if number not in gone)


def _per_layer(
    scored: NDArray[np.float64] | None, name: str, layers: tuple[int, ...], kept: int, there: int
) -> tuple[tuple[int, ...], ...]:
    if kept == there:
        return (tuple(range(there)),) * len(layers)
    found = _scored(scored, name)
    return tuple(highest(found[layer], kept) for layer in layers)


def _scored(found: NDArray[np.float64] | None, name: str) -> NDArray[np.float64]:
    if found is None:
        raise PlanError(f"the shape is smaller in what {name} would score, and {name} was not asked")
    return found


def highest(scored: NDArray[np.float64], kept: int) -> tuple[int, ...]:
    """The `kept` highest, ascending by number."""
    order = np.argsort(-scored, kind="stable")
    return tuple(int(number) for number in np.sort(order[:kept]))


def _refuse_larger(shape: Shape, before: Shape) -> None:
    for name in ("layers", "hidden", "ffn", "heads", "kv_heads"):
        small, large = getattr(shape, name), getattr(before, name)
        if not 1 <= small <= large:
            raise PlanError(f"{name} {small}: pruning a model with {large} leaves 1 to {large}")
    if (shape.head_dim, shape.vocab) != (before.head_dim, before.vocab):
        raise PlanError("pruning changes neither the size of a head nor the vocabulary")
    if shape.heads != shape.kv_heads * before.group:
        raise PlanError(
            f"{shape.heads} query heads over {shape.kv_heads} key-value heads: groups of {before.group} stay whole"
        )
