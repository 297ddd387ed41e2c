"""Groups of tensors that a loss may come from, and the share of it that comes back without their error."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgeshrink.core.attribution import Attribution
from edgeshrink.core.reading import Measured, Reading, Unmeasured

_LAYER = re.compile(r"(?:\w+\.)?blk\.(\d+)\.(.+)")
_PART = re.compile(r"\.(weight|bias)$")


@dataclass(frozen=True, slots=True)
class Group:
    """`name` as reports have it: "blk.3", "blk.0-7", "ffn_down", "blk.3.ffn_down", "token_embd"."""

    name: str
    tensors: tuple[str, ...]


def single(tensors: Iterable[str]) -> tuple[Group, ...]:
    """Each weight by itself, its bias with it."""
    return _grouped((_PART.sub("", name), name) for name in tensors)


def by_kind(tensors: Iterable[str]) -> tuple[Group, ...]:
    """The same matrix of all layers ("ffn_down"); what stands in no layer by itself."""
    return _grouped((_kind(name), name) for name in tensors)


def by_layer(tensors: Iterable[str]) -> tuple[Group, ...]:
    """Each layer; what stands in no layer by itself."""
    return _grouped((_layer(name), name) for name in tensors)


def spans(layers: Sequence[Group], most: int) -> tuple[Group, ...]:
    """At most `most` runs of neighbouring layers, as even as can be, and what stands in no layer.

    The groups of `by_layer`; as they are, where they are that few.
    """
    numbered = sorted((int(one.name.removeprefix("blk.")), one) for one in layers if one.name.startswith("blk."))
    if len(numbered) <= most:
        return tuple(layers)
    found = []
    for index in range(most):
        some = numbered[index * len(numbered) // most : (index + 1) * len(numbered) // most]
        name = f"blk.{some[0][0]}-{some[-1][0]}" if len(some) > 1 else some[0][1].name
        found.append(Group(name, tuple(tensor for _, one in some for tensor in one.tensors)))
    return (*found, *(one for one in layers if not one.name.startswith("blk.")))


def returned(loss: Reading, left: Reading) -> Reading:
    """The share of `loss` that is gone where `left` is what is left of it: 1 - left / loss.

    The interval is MOVER-R's (Donner & Zou, Statistical Methods in Medical Research 21, 2012), from the two readings'
    own and as if they were independent: they come from the same items, so it is rather too wide.
    """
    for reading in (loss, left):
        if isinstance(reading, Unmeasured):
            return reading
    assert isinstance(loss, Measured) and isinstance(left, Measured)
    if loss.value <= 0:
        return Unmeasured("nothing was lost")
    value = 1.0 - left.value / loss.value
    bounds = _ratio_bounds(left, loss)
    if bounds is None:
        return Measured(value, n=left.n, how="no interval: that of the loss is too wide for one")
    low, high = 1.0 - bounds[1], 1.0 - bounds[0]
    return Measured(value, n=left.n, low=min(low, value), high=max(high, value), how="95 % interval, MOVER-R")


def same_source(attributions: Iterable[Attribution]) -> tuple[tuple[str, ...], ...]:
    """Slices that lost most by the same group of tensors; two or more in each."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for one in attributions:
        if main := one.main:
            found[main.group].append(one.slice)
    return tuple(tuple(slices) for slices in found.values() if len(slices) > 1)


def _grouped(named: Iterable[tuple[str, str]]) -> tuple[Group, ...]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for group, tensor in named:
        found[group].append(tensor)
    return tuple(Group(name, tuple(tensors)) for name, tensors in found.items())


def _layer(name: str) -> str:
    found = _LAYER.fullmatch(name)
    return f"blk.{found[1]}" if found else _PART.sub("", name)


def _kind(name: str) -> str:
    found = _LAYER.fullmatch(name)
    return _PART.sub("", found[2] if found else name)


def _ratio_bounds(over: Measured, under: Measured) -> tuple[float, float] | None:
    """Of over / under; None where it has no end on one side."""
    if over.low is None or over.high is None or under.low is None or under.high is None:
        return None
    a, b = over.value, under.value
    below, above = under.high * (2 * b - under.high), under.low * (2 * b - under.low)
    if under.low <= 0 or below <= 0:
        return None
    low = (a * b - math.sqrt(max(0.0, (a * b) ** 2 - over.low * below * (2 * a - over.low)))) / below
    high = (a * b + math.sqrt(max(0.0, (a * b) ** 2 - over.high * above * (2 * a - over.high)))) / above
    return low, high
