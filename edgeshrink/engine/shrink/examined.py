"""How a student behaves: its unquantized GGUF against its teacher's, slice by slice."""

from __future__ import annotations

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.suite import Suite
from edgeshrink.engine.shrink.source import Source
from edgeshrink.engine.suite.of_build import behaviour_of
from edgeshrink.evaluate.subject import Subject
from edgeshrink.judging.gains import gains_over_source


def examined(teacher: Source, student: Source, suite: Suite, floor: QualityFloor) -> Behaviour | Unmeasured:
    """What `suite` finds of the `student`; Unmeasured where the teacher cannot be run on this machine."""
    if student.workshop.reference_too_big is not None:
        return Unmeasured(student.workshop.reference_too_big)
    file = student.workshop.reference_file
    gains = gains_over_source(student.workshop.source_bytes, teacher.workshop.source_bytes, "the teacher's weights")
    subject = Subject(file.path, "llama_cpp", "cpu")
    context = student.workshop.model.facts.context_length
    return behaviour_of(teacher.workshop, suite, floor, subject, file.sha256, context, gains)
