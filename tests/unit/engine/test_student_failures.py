"""What a student failed beside its teacher: a line for each slice whose items are done or failed."""

from __future__ import annotations

from dataclasses import replace

from sample_behaviour import sample_behaviour

from edgeshrink.core.behaviour import Failures
from edgeshrink.core.shrinking import SliceFailures
from edgeshrink.engine.shrink.failures import failures_of


def test_failures_are_told_slice_by_slice() -> None:
    behaviour = sample_behaviour()
    first, *others = (replace(one, failures=None) for one in behaviour.slices)
    assert failures_of(replace(behaviour, slices=(first, *others))) == ()
    told = replace(first, failures=Failures(items=90, inherited=4, lost=3, new=1))
    found = failures_of(replace(behaviour, slices=(*others, told)))
    assert found == (SliceFailures(first.name, items=90, inherited=4, lost=3, new=1),)
