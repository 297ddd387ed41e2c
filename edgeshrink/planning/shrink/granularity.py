"""By which steps a width may shrink, so that rows stay whole blocks of the target's types and kernels. Pure.

A row is what a block divides: the hidden width is the row of q, k, v, gate, up and the embedding, the feed-forward's
width that of down, heads * head_dim that of the attention's output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgeshrink.core.model import ModelFacts
from edgeshrink.core.quant_types import storage_type
from edgeshrink.core.shape import Shape
from edgeshrink.planning.resolve import Situation
from edgeshrink.planning.shrink.shaped import shaped

# The block of every simple type, and what vector kernels take at once.
SMALL_BLOCK = 32
LARGE_BLOCK = 256
# A row that a large block does not divide costs about a bit a weight more (Q4_K becomes Q5_0), and a large step cuts
# half a step too much on average. For the feed-forward, where only down has such rows, the second is dearer below this
# many steps; the hidden width is the row of everything else, and keeps large steps while there is one.
_FFN_CHOICES, _HIDDEN_CHOICES = 4, 1
# Below these shares of a width nothing that was learned is left to heal.
FFN_FLOOR, HIDDEN_FLOOR = 0.25, 0.5
_PROBE = 8 * LARGE_BLOCK


@dataclass(frozen=True, slots=True)
class Granularity:
    """Steps of the feed-forward's and the hidden width, in weights, and of the count of groups; what to say of them."""

    ffn: int = SMALL_BLOCK
    hidden: int = SMALL_BLOCK
    groups: int = 1
    notes: tuple[str, ...] = ()


def block(situation: Situation, schemes: Sequence[str]) -> int:
    """The largest block of any type that `schemes` give a matrix whose rows every block divides, at least 32.

    The format's own planner says which, so it holds for a format's parameters (group and block sizes) too.
    """
    whole = Shape.of(situation.facts)
    heads = _PROBE * whole.group
    wide = replace(whole, hidden=heads * whole.head_dim, ffn=_PROBE, heads=heads, kv_heads=_PROBE)
    probe = shaped(situation, wide)
    blocks = [
        storage_type(tensor.type).block_elements
        for scheme in schemes
        for tensor in probe.planner.tensors(probe, scheme)
        if len(tensor.shape) > 1
    ]
    return max(SMALL_BLOCK, *blocks)


def granularity(facts: ModelFacts, block: int = LARGE_BLOCK) -> Granularity:
    """Steps of `block`; where the model is too small for a choice among them, the largest smaller ones, with a note."""
    whole = Shape.of(facts)
    ffn = _step(whole.ffn, block, FFN_FLOOR, _FFN_CHOICES)
    hidden = _step(whole.hidden, block, HIDDEN_FLOOR, _HIDDEN_CHOICES)
    groups = _group_step(whole, block)
    notes = [
        f"{name} in steps of {step}, not {block}: {width} is too small for a choice among those, and rows off "
        f"{block} take types of smaller blocks"
        for name, width, step in (("feed-forward", whole.ffn, ffn), ("hidden width", whole.hidden, hidden))
        if step != block
    ]
    if groups * whole.group * whole.head_dim % block:
        notes.append(f"heads by {groups} of {whole.kv_heads} groups: they leave no choice of rows in steps of {block}")
    return Granularity(ffn, hidden, groups, tuple(notes))


def widths(whole: int, step: int, floor: float) -> tuple[int, ...]:
    """`whole`, and the multiples of `step` below it that are at least the share `floor` of it; descending."""
    least = math.ceil(floor * whole)
    return (whole, *(width for width in range((whole - 1) // step * step, 0, -step) if width >= least))


def _step(whole: int, block: int, floor: float, choices: int) -> int:
    if len(widths(whole, block, floor)) > choices:
        return block
    small = (size for size in (SMALL_BLOCK, 16, 8, 4, 2) if size < block)
    return next((size for size in small if len(widths(whole, size, floor)) > 1), 1)


def _group_step(whole: Shape, block: int) -> int:
    """The fewest groups whose heads together are whole blocks, where the model has more than that; else one."""
    row = whole.group * whole.head_dim
    for size in (block, SMALL_BLOCK):
        step = size // math.gcd(size, row)
        if step < whole.kv_heads:
            return step
    return 1
