"""How a student behaves: its unquantized GGUF against its teacher's, slice by slice."""

from __future__ import annotations

from collections.abc import Callable

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.shrinking_request import Teaching
from edgeshrink.core.suite import Suite
from edgeshrink.core.training import GateCheck
from edgeshrink.engine.shrink.judged import gate_check
from edgeshrink.engine.shrink.source import Source
from edgeshrink.engine.suite.of_build import behaviour_of
from edgeshrink.errors import UsageError
from edgeshrink.evaluate.subject import Subject
from edgeshrink.judging.gains import gains_over_source

Look = Callable[[Source, int], GateCheck]
"""Of the suite at a student in training, after so many steps."""


def examined(teacher: Source, student: Source, suite: Suite, floor: QualityFloor) -> Behaviour | Unmeasured:
    """What `suite` finds of the `student`; Unmeasured where the teacher cannot be run on this machine."""
    if student.workshop.reference_too_big is not None:
        return Unmeasured(student.workshop.reference_too_big)
    file = student.workshop.reference_file
    gains = gains_over_source(student.workshop.source_bytes, teacher.workshop.source_bytes, "the teacher's weights")
    subject = Subject(file.path, "llama_cpp", "cpu")
    context = student.workshop.model.facts.context_length
    return behaviour_of(teacher.workshop, suite, floor, subject, file.sha256, context, gains)


def check_looks(teaching: Teaching | None, suite: Suite | None) -> None:
    """UsageError where a suite is to look at the student now and then, and there is none."""
    if teaching is not None and teaching.check_every is not None and suite is None:
        raise UsageError("--check-every lets the suite look, and there is none", hint="leave out --suite none")


def look_of(teacher: Source, suite: Suite | None, floor: QualityFloor) -> Look | None:
    """None where there is no suite to look with."""
    if suite is None:
        return None
    return lambda student, step: gate_check(floor, examined(teacher, student, suite, floor), step)
