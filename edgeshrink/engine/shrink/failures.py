"""What a student failed, beside its teacher, slice by slice: inherited, lost and new."""

from __future__ import annotations

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.shrinking import SliceFailures


def failures_of(behaviour: Behaviour) -> tuple[SliceFailures, ...]:
    """Of each slice of `behaviour`, the student against the teacher, whose items are done or failed."""
    return tuple(
        SliceFailures(one.name, told.items, told.inherited, told.lost, told.new)
        for one in behaviour.slices
        if (told := one.failures) is not None
    )
