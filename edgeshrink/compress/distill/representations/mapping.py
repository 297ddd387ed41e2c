"""Which layer of the teacher a layer of the student is held against: pairs (student, teacher), counted from 0.

A pair is about what the two layers hand on. The last layers always meet, so that both stacks end alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from edgeshrink.errors import PlanError

Layers = tuple[tuple[int, int], ...]


def even_layers(student_layers: int, teacher_layers: int) -> Layers:
    """Every layer of the student, spread evenly over the teacher: after the share i / n of its own layers the student
    is as far as the teacher is after that share of its layers."""
    return tuple(
        (index, max(0, _rounded((index + 1) * teacher_layers, student_layers) - 1)) for index in range(student_layers)
    )


def kept_layers(kept: Sequence[int], teacher_layers: int) -> Layers:
    """For a student that keeps the layers `kept` (ascending) of its teacher: each of them takes over the removed ones
    behind it, so it meets the teacher's last layer before the next kept one.

    PlanError where `kept` cannot be such layers.
    """
    if not kept or any(a >= b for a, b in pairwise(kept)) or kept[0] < 0 or kept[-1] >= teacher_layers:
        raise PlanError(f"layers {list(kept)} cannot have been kept of a teacher of {teacher_layers}")
    ends = [*kept[1:], teacher_layers]
    return tuple((index, end - 1) for index, end in enumerate(ends))


def check_layers(layers: Sequence[Sequence[int]], student_layers: int, teacher_layers: int) -> Layers:
    """`layers` as pairs in the student's order, or PlanError: each a layer of its model, none of the student's twice,
    and none of the teacher's before one that an earlier layer of the student already met."""
    if not layers or any(len(pair) != 2 for pair in layers):
        raise PlanError(f"the layers to match are pairs of student and teacher layer, not {layers}")
    pairs = tuple(sorted((int(pair[0]), int(pair[1])) for pair in layers))
    for student, teacher in pairs:
        if not (0 <= student < student_layers and 0 <= teacher < teacher_layers):
            raise PlanError(
                f"no layers {student} (student) and {teacher} (teacher) to match: the student has {student_layers}, "
                f"the teacher {teacher_layers}",
                hint="layers are counted from 0",
            )
    for (one, before), (other, after) in pairwise(pairs):
        if one == other or before > after:
            raise PlanError(f"the layers to match are out of order at student layers {one} and {other}: {list(pairs)}")
    return pairs


def _rounded(numerator: int, denominator: int) -> int:
    """The nearest whole number, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)
