"""What an objective learns from, and what of it is counted in the end, for those that have an aim beside the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edgeshrink.core.shrinking import Learnt
from edgeshrink.core.shrinking_request import Teaching
from edgeshrink.core.suite import Suite
from edgeshrink.engine.shrink.learning_text import learning_text
from edgeshrink.engine.shrink.preference import agreement, pairs_corpus
from edgeshrink.engine.shrink.source import Source
from edgeshrink.engine.shrink.tool_policy import decisions, decisions_corpus
from edgeshrink.store import Stored

Counted = Callable[[Source, Source, Source, Stored], tuple[Learnt, ...]]
_CORPORA: Final = {"preference": pairs_corpus, "tool-policy": decisions_corpus}
_COUNTED: Final[dict[str, Counted]] = {"preference": agreement, "tool-policy": decisions}


def corpus_for(teacher: Source, student: Source, teaching: Teaching, suite: Suite | None) -> Stored:
    """What `student` is to learn from, in its own tokens; never what `suite` asks."""
    return _CORPORA.get(teaching.objective.kind, learning_text)(teacher, student, teaching, suite)


def learnt(before: Source, after: Source, teacher: Source, teaching: Teaching, corpus: Stored) -> tuple[Learnt, ...]:
    """Counts on the held-out items of `corpus`, before and after; () where the loss is all there is."""
    counted = _COUNTED.get(teaching.objective.kind)
    return () if counted is None else counted(before, after, teacher, corpus)
