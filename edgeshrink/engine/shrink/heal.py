"""Heal a pruned model: its original is the teacher."""

from __future__ import annotations

from dataclasses import replace

from edgeshrink.core.shrinking_request import Teaching
from edgeshrink.core.suite import Suite
from edgeshrink.core.training import TrainingRecord, TrainingSettings
from edgeshrink.engine.shrink.learning_text import learning_text
from edgeshrink.engine.shrink.source import Source
from edgeshrink.engine.shrink.teaching import Look, taught
from edgeshrink.engine.steps.training import Heard


def healed(
    teacher: Source,
    student: Source,
    teaching: Teaching,
    suite: Suite | None,
    *,
    share: float = 1.0,
    heard: Heard,
    look: Look | None = None,
) -> tuple[Source, TrainingRecord]:
    """The healed model. `share` of the time that `teaching` gives is spent; the text is that of the whole of it, so
    that several cycles read the same corpus, and share a teacher's cache."""
    corpus = learning_text(teacher, student, teaching, suite)
    part = replace(teaching, settings=_shorter(teaching.settings, share))
    done = taught(teacher, student, corpus, part, heard=heard, look=look)
    return done.student, done.record


def _shorter(settings: TrainingSettings, share: float) -> TrainingSettings:
    return replace(
        settings,
        steps=None if settings.steps is None else max(1, round(settings.steps * share)),
        minutes=None if settings.minutes is None else settings.minutes * share,
    )
