"""What is told of a policy that was learnt, and what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from edgeshrink.compress.distill.deciding import Decided
from edgeshrink.core.shrinking import Learnt
from edgeshrink.core.shrinking_request import Teaching
from edgeshrink.engine.shrink.source import Source
from edgeshrink.engine.shrink.tool_policy import decisions_corpus, learnt_of
from edgeshrink.errors import UsageError


def _tools(shy: int, eager: int, both: int) -> Decided:
    return Decided({"call": (50, shy), "text": (40, eager)}, {"tools": (40, both)})


def test_too_eager_and_too_shy_are_told_apart_and_together() -> None:
    told = list(learnt_of([_tools(30, 8, 5), _tools(2, 1, 37), _tools(3, 4, 33)]))
    assert [(one.name, one.items, one.before, one.after, one.teacher, one.low_is_better) for one in told] == [
        ("wrong tool decisions", 90, 38, 3, 7, True),
        ("too eager", 40, 8, 1, 4, True),
        ("too shy", 50, 30, 2, 3, True),
        ("both of a tool pair right", 40, 5, 37, 33, False),
    ]


def test_passages_are_told_in_words_of_their_own() -> None:
    found = Decided({"refusal": (10, 9), "answer": (12, 1)}, {"passages": (10, 1)})
    told = list(learnt_of([found, found, found]))
    assert [(one.name, one.items, one.after) for one in told] == [
        ("wrong passage decisions", 22, 10),
        ("answers beyond the passage", 10, 9),
        ("passes over the passage", 12, 1),
        ("both of a passage pair right", 10, 1),
    ]


def test_a_side_that_was_not_asked_is_not_told_of() -> None:
    found = Decided({"call": (10, 4)}, {})
    (told,) = learnt_of([found] * 3)
    assert told == Learnt("too shy", "does not call the tool that is due", 10, 4, 4, 4, low_is_better=True)


@pytest.mark.parametrize(
    ("teaching", "words"),
    [
        (Teaching(), "no cases"),
        (Teaching(data=(Path("cases.jsonl"),), tokens=1000), "limit of tokens"),
        (Teaching(data=(Path("no-such-cases.jsonl"),)), "no-such-cases"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_before_any_model_is_touched(teaching: Teaching, words: str) -> None:
    nobody = cast(Source, cast(Any, None))
    with pytest.raises(UsageError, match=words):
        decisions_corpus(nobody, nobody, teaching, None)
