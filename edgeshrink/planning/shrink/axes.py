"""What of a model can become less: each axis with the sizes it may take, from all of it down to its floor. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from edgeshrink.core.architectures import ARCHITECTURES
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.shape import Shape
from edgeshrink.errors import PlanError
from edgeshrink.planning.shrink.granularity import FFN_FLOOR, HIDDEN_FLOOR, LARGE_BLOCK, Granularity, widths

Axis = Literal["depth", "ffn", "heads", "hidden"]
AXES: tuple[Axis, ...] = get_args(Axis)


@dataclass(frozen=True, slots=True)
class Ruler:
    """The `sizes` that one axis may take, descending; the first is what the model has."""

    sizes: tuple[int, ...]
    of: Callable[[Shape], int]
    put: Callable[[Shape, int], Shape]

    def share(self, shape: Shape) -> float:
        """How much of the axis `shape` still has."""
        return self.of(shape) / self.sizes[0]

    def scaled(self, shape: Shape, share: float) -> Shape:
        """`shape` with the size nearest to `share` of the whole; of two equally near, the larger."""
        return self.put(shape, min(self.sizes, key=lambda size: abs(size - share * self.sizes[0])))

    def above(self, shape: Shape) -> Iterator[Shape]:
        """`shape` with the next larger size, and with the next of whole blocks, which may take fewer bytes."""
        larger = [size for size in reversed(self.sizes) if size > self.of(shape)]
        whole = [size for size in larger[1:] if size % LARGE_BLOCK == 0]
        return (self.put(shape, size) for size in (*larger[:1], *whole[:1]))


def rulers(facts: ModelFacts, granularity: Granularity, axes: Sequence[Axis]) -> dict[Axis, Ruler]:
    """A ruler for each of `axes`. Where the hidden width is the heads' (qwen2), both stand under "heads"; PlanError
    where only one of them is asked for, or none of all."""
    whole = Shape.of(facts)
    if not axes:
        raise PlanError("nothing to prune", hint=f"choose among: {', '.join(AXES)}")
    found: dict[Axis, Ruler] = {}
    if "depth" in axes:
        found["depth"] = Ruler(_down(whole.layers, 1), lambda shape: shape.layers, _with_layers)
    if "ffn" in axes:
        found["ffn"] = Ruler(widths(whole.ffn, granularity.ffn, FFN_FLOOR), lambda shape: shape.ffn, _with_ffn)
    if not ARCHITECTURES[facts.model_type].free_head_dim:
        if "heads" in axes and "hidden" in axes:
            found["heads"] = Ruler(_joint(whole, granularity), lambda shape: shape.kv_heads, _with_both)
        elif "heads" in axes or "hidden" in axes:
            raise PlanError(
                f"{facts.model_type} takes a hidden width of heads * head_dim only",
                hint="prune heads and hidden width together (name both), or neither of them",
            )
        return found
    if "heads" in axes:
        found["heads"] = Ruler(_down(whole.kv_heads, granularity.groups), lambda shape: shape.kv_heads, _with_groups)
    if "hidden" in axes:
        sizes = widths(whole.hidden, granularity.hidden, HIDDEN_FLOOR)
        found["hidden"] = Ruler(sizes, lambda shape: shape.hidden, _with_hidden)
    return found


def told(before: Shape, after: Shape) -> tuple[tuple[str, int, int], ...]:
    """(name, before, after) of every size that changed."""
    pairs = (
        ("layers", before.layers, after.layers),
        ("hidden", before.hidden, after.hidden),
        ("ffn", before.ffn, after.ffn),
        ("heads", before.heads, after.heads),
        ("kv_heads", before.kv_heads, after.kv_heads),
    )
    return tuple(pair for pair in pairs if pair[1] != pair[2])


def words(before: Shape, after: Shape) -> str:
    """The change in words: "layers 5 -> 4, ffn 768 -> 512"."""
    return ", ".join(f"{name} {old} -> {new}" for name, old, new in told(before, after)) or "as it is"


def _down(count: int, step: int) -> tuple[int, ...]:
    return (count, *(size for size in range(count - 1, 0, -1) if size % step == 0))


def _joint(whole: Shape, granularity: Granularity) -> tuple[int, ...]:
    """Counts of groups whose heads are as wide as a hidden width of whole steps; of any, where there is none."""
    group = whole.group * whole.head_dim
    low = [count for count in range(whole.kv_heads - 1, 0, -1) if count * group >= HIDDEN_FLOOR * whole.hidden]
    even = [count for count in low if count * group % granularity.hidden == 0]
    return (whole.kv_heads, *(even or low))


def _with_layers(shape: Shape, layers: int) -> Shape:
    return replace(shape, layers=layers)


def _with_ffn(shape: Shape, ffn: int) -> Shape:
    return replace(shape, ffn=ffn)


def _with_hidden(shape: Shape, hidden: int) -> Shape:
    return replace(shape, hidden=hidden)


def _with_groups(shape: Shape, groups: int) -> Shape:
    return replace(shape, heads=groups * shape.group, kv_heads=groups)


def _with_both(shape: Shape, groups: int) -> Shape:
    less = _with_groups(shape, groups)
    return replace(less, hidden=less.heads * less.head_dim)
