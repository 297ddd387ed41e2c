"""What a suite is run on: two sides, the gates that end it, and the store that keeps every answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.step import Step
from edgeshrink.core.suite import Suite
from edgeshrink.evaluate.subject import Subject
from edgeshrink.judging.gains import Gains
from edgeshrink.runtimes.registry import runtime
from edgeshrink.store import Stored

FAMILYWISE = 0.05
"""The probability that noise decides any gate of a suite wrongly, all looks together."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two models: `name` is what reports call it."""

    subject: Subject
    sha256: str
    name: str

    @property
    def runtime_build(self) -> str:
        return runtime(self.subject.runtime).build_id()


@dataclass(frozen=True, slots=True)
class Examination:
    """`context`: tokens that both sides can take. `only`: names of slices; families without any of them are not run.

    `run` gives a step's result, from the store or made now. `gains`: what exchange rates are paid with, as far as it is
    known before the suite has run.
    """

    suite: Suite
    reference: Side
    candidate: Side
    floor: QualityFloor
    seed: int
    context: int
    threads: int
    run: Callable[[Step], Stored] = field(repr=False)
    listener: Listener = silent
    only: frozenset[str] | None = None
    gains: Gains | None = None

    def wanted(self, slice_name: str) -> bool:
        return self.only is None or slice_name in self.only


def round_factor(look: int) -> int:
    """How many times the first round's items a look takes: as many as all looks before it together."""
    return 1 if look == 0 else int(2 ** (look - 1))
