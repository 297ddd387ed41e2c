"""One step of making a model smaller, or of teaching it, as its record tells it."""

from __future__ import annotations

import edgeshrink
from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.shrinking import SHRINK_SCHEMA, Learnt, ModelBrief, PruningTold, ShrinkRung, ShrinkStep, StepKind
from edgeshrink.core.training import TrainingRecord
from edgeshrink.engine.shrink.failures import failures_of


def step_told(
    kind: StepKind,
    title: str,
    before: ModelBrief,
    after: ModelBrief,
    teacher: ModelBrief,
    *,
    seconds: float,
    pruning: PruningTold | None = None,
    training: TrainingRecord | None = None,
    behaviour: Behaviour | Unmeasured | None = None,
    learnt: tuple[Learnt, ...] = (),
    command: tuple[str, ...] = (),
    kept: bool | None = None,
    why: str = "",
    notes: tuple[str, ...] = (),
    stages: tuple[ShrinkRung, ...] = (),
) -> ShrinkStep:
    """With what failed by slice; a behaviour that could not be measured is a note."""
    found = behaviour if isinstance(behaviour, Behaviour) else None
    return ShrinkStep(
        schema=SHRINK_SCHEMA,
        version=edgeshrink.__version__,
        kind=kind,
        title=title,
        before=before,
        after=after,
        teacher=teacher,
        pruning=pruning,
        training=training,
        behaviour=found,
        failures=() if found is None else failures_of(found),
        seconds=seconds,
        command=command,
        kept=kept,
        why=why,
        notes=(*notes, behaviour.reason) if isinstance(behaviour, Unmeasured) else notes,
        learnt=learnt,
        stages=stages,
    )
