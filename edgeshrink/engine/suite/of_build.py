"""The suite of a build or an evaluation: the finished artifact against the workshop's unquantized reference."""

from __future__ import annotations

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.suite import Suite
from edgeshrink.engine.suite.examination import Examination, Side
from edgeshrink.engine.suite.run import run_suite
from edgeshrink.engine.workshop import Workshop
from edgeshrink.evaluate.subject import Subject
from edgeshrink.judging.gains import Gains, gains_over_source

LONGEST = 4096
"""Tokens of the longest items, where nobody asks for more: a long context costs its square."""


def behaviour_of(
    workshop: Workshop, suite: Suite, floor: QualityFloor, candidate: Subject, sha256: str, context: int, gains: Gains
) -> Behaviour | Unmeasured:
    """What the suite finds; Unmeasured where the reference cannot be run on this machine."""
    examination = examination_of(workshop, suite, floor, candidate, sha256, context, gains)
    return examination if isinstance(examination, Unmeasured) else run_suite(examination)


def examination_of(
    workshop: Workshop, suite: Suite, floor: QualityFloor, candidate: Subject, sha256: str, context: int, gains: Gains
) -> Examination | Unmeasured:
    """The same, not yet run. `context`: tokens that the artifact takes."""
    standard, request = workshop.standard, workshop.request
    if standard.reference_too_big is not None:
        return Unmeasured(standard.reference_too_big)
    file = standard.reference_file
    return Examination(
        suite=suite,
        reference=Side(Subject(file.path, "llama_cpp", "cpu"), file.sha256, standard.reference_name),
        candidate=Side(candidate, sha256, candidate.path.name),
        floor=floor,
        seed=request.seed,
        context=min(context, workshop.model.facts.context_length, request.context or LONGEST),
        threads=workshop.threads,
        run=workshop.run,
        listener=workshop.listener,
        gains=gains,
    )


def gains_of_build(workshop: Workshop, artifact_bytes: int) -> Gains:
    """What is gained over the source's own weights."""
    return gains_over_source(artifact_bytes, workshop.standard.source_bytes, "the source's weights")
