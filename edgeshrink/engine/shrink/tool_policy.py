"""What objective tool-policy learns from, and whether it was learnt: decisions on cases that nobody trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from edgeshrink.compress.corpus.cases import FAMILIES, Family, Side
from edgeshrink.compress.corpus.decision_files import count_decisions
from edgeshrink.compress.distill.deciding import Decided
from edgeshrink.core.shrinking import Learnt
from edgeshrink.core.shrinking_request import Teaching
from edgeshrink.core.suite import Suite
from edgeshrink.engine.opened import tokenizer_digest
from edgeshrink.engine.shrink.learning_text import check_data, digests_of, material_of, row_length
from edgeshrink.engine.shrink.source import Source, torch_pins
from edgeshrink.engine.steps.decisions import BuildDecisions, Decide, stored_decided
from edgeshrink.errors import UsageError
from edgeshrink.store import Stored

_ALL: Final[dict[Family, tuple[str, str]]] = {
    "tools": ("wrong tool decisions", "calls without need, and calls that are due and not made"),
    "passages": ("wrong passage decisions", "answers beyond the passage, and answers in it that are passed over"),
}
_WRONG: Final[dict[Side, tuple[str, str]]] = {
    "text": ("too eager", "calls a tool where none is needed"),
    "call": ("too shy", "does not call the tool that is due"),
    "refusal": ("answers beyond the passage", "answers where the passage does not say"),
    "answer": ("passes over the passage", "says that the passage does not tell what it tells"),
}
_BOTH: Final[dict[Family, tuple[str, str]]] = {
    "tools": ("both of a tool pair right", "near misses: calls in one case and does not in the other, as is right"),
    "passages": ("both of a passage pair right", "near misses: answers the one and not the other, as is right"),
}


def decisions_corpus(teacher: Source, student: Source, teaching: Teaching, suite: Suite | None) -> Stored:
    """The cases of `teaching.data` in the student's tokens. UsageError where nothing or what cannot be is asked for;
    DataError where the data holds no case, or what the suite (or the comparison that every build makes) asks."""
    if not teaching.data:
        raise UsageError(
            "there are no cases to learn a policy from",
            hint='--data takes JSONL of {"messages", "tools", "answer", "pair"} or {"question", "passage", "answer"}',
        )
    if teaching.tokens is not None:
        raise UsageError("a limit of tokens would tear pairs apart", hint="leave --tokens out, or give fewer cases")
    check_data(teaching.data)
    workshop = student.workshop
    return workshop.run(
        BuildDecisions(
            material=material_of(student, teaching, teaching.data, suite),
            digests=digests_of(student, teaching.data),
            tokenizer_sha256=tokenizer_digest(workshop.model, workshop.store),
            length=row_length(teaching, teacher, student),
            decision_weight=teaching.objective.decision_weight,
        )
    )


def decisions(before: Source, after: Source, teacher: Source, corpus: Stored) -> tuple[Learnt, ...]:
    """How the held-out cases of `corpus` are decided by the student before and after, and by its teacher; nothing where
    none were held out. All have the student's vocabulary."""
    if not count_decisions(corpus.folder):
        return ()
    found = [_decided(source, corpus) for source in (before, after, teacher)]
    return tuple(learnt_of(found))


def _decided(source: Source, corpus: Stored) -> Decided:
    workshop = source.workshop
    stored = workshop.run(
        Decide(source.folder, source.digest, (corpus.folder, corpus.digest), workshop.threads, torch_pins())
    )
    return stored_decided(stored.folder)


def learnt_of(found: Sequence[Decided]) -> Iterator[Learnt]:
    """What is told of the student before, the student after, and its teacher (`found`, in that order): a family that
    was not asked is not told of."""
    for family, sides in FAMILIES.items():
        asked = [side for side in _WRONG if side in sides and side in found[0].cases]
        if len(asked) > 1:
            counts = [_sum(one.cases[side] for side in asked) for one in found]
            yield _row(*_ALL[family], counts, low_is_better=True)
        for side in asked:
            yield _row(*_WRONG[side], [one.cases[side] for one in found], low_is_better=True)
        if family in found[0].pairs:
            yield _row(*_BOTH[family], [one.pairs[family] for one in found], low_is_better=False)


def _sum(counts: Iterator[tuple[int, int]]) -> tuple[int, int]:
    items, wrong = zip(*counts, strict=True)
    return sum(items), sum(wrong)


def _row(name: str, what: str, counts: Sequence[tuple[int, int]], *, low_is_better: bool) -> Learnt:
    (items, before), (_, after), (_, teacher) = counts
    return Learnt(name, what, items, before, after, teacher, low_is_better=low_is_better)
