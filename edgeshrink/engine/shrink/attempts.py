"""What every attempt of a build at another model comes to: one rung, built, judged and told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from edgeshrink.core.request import HEAL_MINUTES, Request
from edgeshrink.core.shrinking import Shrinkage, ShrinkRung
from edgeshrink.core.shrinking_request import Teaching
from edgeshrink.core.training import TrainingSettings
from edgeshrink.engine.climb import Built, climb
from edgeshrink.engine.exporters.registry import exporter
from edgeshrink.engine.shrink.quantized import Quantized, Terms, standing_of
from edgeshrink.engine.shrink.source import Source
from edgeshrink.planning.ladder import Move
from edgeshrink.planning.resolve import Situation


@dataclass(frozen=True, slots=True)
class Other:
    """`built` from `student`, as `situation` plans it; all None where nothing that was made holds."""

    shrinkage: Shrinkage
    built: Built | None = None
    student: Source | None = None
    situation: Situation | None = None

    def after(self, before: Other) -> Other:
        """The same, with what was tried before it told first."""
        tried, mine = before.shrinkage, self.shrinkage
        told = replace(mine, steps=(*tried.steps, *mine.steps), rungs=(*tried.rungs, *mine.rungs))
        return replace(self, shrinkage=told)


def built_of(terms: Terms, student: Source, scheme: str, why: str) -> Built:
    """The one rung of `scheme`, measured and judged; `why` is told of it."""
    workshop = student.workshop
    situation = workshop.situation(terms.situation.calibration)
    maker = exporter(situation.format_name, workshop)
    maker.check_before_work()
    built, _, _ = climb(workshop, maker, situation, Move(scheme, scheme, why), terms.suite)
    return built


def changes_for(scheme: str, teacher: Source) -> dict[str, Any]:
    """What a student is built with: one scheme; a matrix that was given for the teacher's shapes is computed anew."""
    imatrix = teacher.workshop.request.imatrix
    return {"scheme": scheme, "imatrix": imatrix if imatrix in ("auto", "none") else "default"}


def healing(request: Request) -> Teaching:
    """How long a build trains, and on what."""
    minutes = None if request.heal_steps else request.heal_minutes or HEAL_MINUTES
    return Teaching(request.data, TrainingSettings(steps=request.heal_steps, minutes=minutes, seed=request.seed))


def rung_of(terms: Terms, title: str, one: Quantized) -> ShrinkRung:
    """A row of the table, but for what it cost and what came of it."""
    stands = standing_of(one, terms.budget)
    return ShrinkRung(
        title=title,
        scheme=one.plan.scheme,
        parameters=one.parameters,
        artifact_bytes=one.artifact.nbytes,
        seconds=0.0,
        tokens=0,
        mean_kl=one.mean_kl,
        gates_failed=len(stands.failed),
        score=stands.score,
        fits=None,
        kept=False,
        why="",
    )
