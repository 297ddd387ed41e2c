"""A `Cut` as JSON, and what must hold of one before a weight is touched. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from edgeshrink.core.model import ModelFacts
from edgeshrink.core.shape import Cut, Shape
from edgeshrink.errors import DataError, PlanError
from edgeshrink.planning.shrink.shaped import check_shape


def cut_to_json(cut: Cut) -> dict[str, Any]:
    return {
        "layers": list(cut.layers),
        "ffn": [list(row) for row in cut.ffn],
        "groups": [list(row) for row in cut.groups],
        "hidden": list(cut.hidden),
    }


def cut_from_json(value: Mapping[str, Any]) -> Cut:
    """DataError where it is none."""
    try:
        return Cut(
            layers=tuple(map(int, value["layers"])),
            ffn=tuple(tuple(map(int, row)) for row in value["ffn"]),
            groups=tuple(tuple(map(int, row)) for row in value["groups"]),
            hidden=tuple(map(int, value["hidden"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"this is no cut of a model: {type(error).__name__}: {error}") from error


def check_cut(facts: ModelFacts, cut: Cut) -> None:
    """PlanError where `cut` is no part of the model, or no runtime takes what it leaves."""
    shape = Shape.of(facts)
    check_shape(facts, shape)
    _indices("layers", cut.layers, shape.layers)
    _indices("hidden", cut.hidden, shape.hidden)
    for name, rows, size in (("ffn", cut.ffn, shape.ffn), ("groups", cut.groups, shape.kv_heads)):
        if len(rows) != len(cut.layers):
            raise PlanError(f"the cut has {len(rows)} rows of {name} for {len(cut.layers)} layers")
        for number, row in enumerate(rows):
            _indices(f"{name} of layer {number}", row, size)
        if len({len(row) for row in rows}) > 1:
            raise PlanError(f"the cut keeps differently many {name} in its layers; a model has one width for all")
    check_shape(facts, cut.shape(shape))


def _indices(name: str, kept: Sequence[int], size: int) -> None:
    ascending = all(low < high for low, high in pairwise(kept))
    if not kept or not ascending or kept[0] < 0 or kept[-1] >= size:
        raise PlanError(f"the cut's {name} must be ascending numbers from 0 to {size - 1}, at least one")
