"""Steps: a teacher says how probable answers are, and the best and the worst to each prompt become a pair."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from edgeshrink.compress.corpus.jsonl_files import jsonl_records
from edgeshrink.compress.corpus.pairs import ANSWERS, CHOSEN, REJECTED
from edgeshrink.compress.corpus.pairs_build import SOURCE
from edgeshrink.compress.distill.sequences.ranking import best_and_worst
from edgeshrink.core.events import Listener
from edgeshrink.engine.steps.sequences import ANSWERS as ANSWERS_FILE
from edgeshrink.engine.steps.sequences import Prompts, all_answered, asking_key
from edgeshrink.errors import DataError
from edgeshrink.evaluate.answers import read_answers
from edgeshrink.evaluate.own_items import OwnLine, own_line
from edgeshrink.evaluate.probes import Answer, Chosen, Said
from edgeshrink.evaluate.prompted import is_right, prompt_table, scored_item
from edgeshrink.evaluate.resumed_asking import ask_on
from edgeshrink.evaluate.slices.interface import Item
from edgeshrink.evaluate.subject import Subject

PAIRS: Final = "pairs.jsonl"
_COUNTS: Final = "counts.json"
File = tuple[Path, str]
"""And its digest."""


@dataclass(frozen=True)
class Candidate:
    """A prompt, as its line has it, and different answers to it."""

    id: str
    record: Mapping[str, Any]
    line: OwnLine
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Candidates:
    """`answered`: lines with answers; `sampled`: prompts alone with the answers of a model that was asked. `chat`:
    whoever ranks them has a chat template."""

    answered: File
    sampled: tuple[Prompts, File] | None
    scorer: str | None
    chat: bool

    def all(self) -> Iterator[Candidate]:
        for number, (_, record) in enumerate(jsonl_records(self.answered[0]), start=1):
            yield self._of(f"a{number}", record, record[ANSWERS])
        if self.sampled is None:
            return
        prompts, answers = self.sampled
        (file,) = prompts.files
        asked = zip(jsonl_records(file), read_answers(answers[0]), strict=True)
        for number, ((_, record), (_, given)) in enumerate(asked, start=1):
            yield self._of(f"p{number}", record, _whole(given))

    def ranked(self) -> Iterator[Candidate]:
        """Those that have several answers, and no scorer to judge them by."""
        return (one for one in self.all() if len(one.answers) > 1 and not one.line.scorer)

    def items(self) -> Iterator[Item]:
        for one in self.ranked():
            yield scored_item(one.id, one.line.asked(chat=True), *one.answers, chat=self.chat)

    def count(self) -> int:
        return sum(1 for _ in self.ranked())

    @property
    def inputs(self) -> dict[str, str]:
        """Digests, for a key."""
        if self.sampled is None:
            return {"answered": self.answered[1]}
        prompts, answers = self.sampled
        return {"answered": self.answered[1], "prompts": prompts.digests[0], "sampled": answers[1]}

    def _of(self, identity: str, record: Mapping[str, Any], answers: Iterable[str]) -> Candidate:
        table = prompt_table(self.answered[0], scorer=self.scorer, max_tokens=1)
        line = own_line(json.dumps(record).encode(), table, 0, open_ended=True)
        return Candidate(identity, record, line, tuple(dict.fromkeys(answers)))


@dataclass(frozen=True)
class RankAnswers:
    """Result: `answers.jsonl`: how probable the `subject` finds each answer of `candidates.items()`, in their order."""

    subject: Subject
    subject_sha256: str
    candidates: Candidates
    context: int
    threads: int
    runtime_build: str
    id: ClassVar[str] = "rank-answers"
    version: ClassVar[int] = 1
    resumes: ClassVar[bool] = True

    def key_parts(self) -> Mapping[str, Any]:
        return asking_key(self.subject, self.subject_sha256, self.candidates.items(), self.context, self.runtime_build)

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        ask_on(
            self.subject,
            self.candidates.items,
            workdir / ANSWERS_FILE,
            context=self.context,
            threads=self.threads,
            total=self.candidates.count(),
            task="rank answers",
            listener=listener,
        )

    def ensures(self, workdir: Path) -> None:
        all_answered(workdir, self.candidates.items())


@dataclass(frozen=True)
class MakePairs:
    """Result: PAIRS, those that were `given` and the best and worst of each of the `candidates`, and what was dropped.

    `ranks`: what RankAnswers found; None: nothing is ranked.
    """

    given: File
    candidates: Candidates | None
    ranks: File | None
    id: ClassVar[str] = "make-pairs"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        candidates = {} if self.candidates is None else self.candidates.inputs
        ranks = "" if self.ranks is None else self.ranks[1]
        scorer = None if self.candidates is None else self.candidates.scorer
        return {
            "inputs": {"given": self.given[1], "ranks": ranks, **candidates},
            "parameters": {"scorer": scorer},
            "tools": {},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        counts: Counter[str] = Counter()
        with (workdir / PAIRS).open("w", encoding="utf-8") as out:
            with self.given[0].open(encoding="utf-8") as lines:
                for line in lines:
                    out.write(line)
                    counts["pairs"] += 1
            for pair in self._made(counts):
                out.write(json.dumps(pair, ensure_ascii=False) + "\n")
                counts["pairs"] += 1
        (workdir / _COUNTS).write_text(json.dumps(counts), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        counts = made_counts(workdir)
        if not counts["pairs"]:
            raise DataError(
                f"no pairs came of it: {'; '.join(made_notes(workdir))}",
                hint="give pairs of a chosen and a rejected answer, or more --samples",
            )

    def _made(self, counts: Counter[str]) -> Iterator[dict[str, Any]]:
        if self.candidates is None:
            return
        ranks = iter(()) if self.ranks is None else read_answers(self.ranks[0])
        for one in self.candidates.all():
            counts["candidates"] += 1
            if len(one.answers) < 2:
                counts["alone"] += 1
            elif one.line.scorer:
                figures = [float(is_right(one.line.scorer, text, one.line.expected, {})) for text in one.answers]
                yield from _pair(one, figures, "alike", counts)
            else:
                _, (found,) = next(ranks)
                if isinstance(found, Chosen):
                    means = [sums / max(1, tokens) for sums, tokens in zip(found.logprobs, found.tokens, strict=True)]
                    yield from _pair(one, means, "ties", counts)
                else:
                    counts["refused"] += 1


_DROPPED: Final[Mapping[str, str]] = {
    "alone": "have fewer than two different answers that are whole",
    "alike": "have answers that are all right or all wrong",
    "ties": "have answers that the teacher finds nearly as probable",
    "refused": "have answers that the teacher could not read",
}


def made_counts(folder: Path) -> Counter[str]:
    """Of a folder of MakePairs: "pairs", and "candidates" with what became of them."""
    return Counter(json.loads((folder / _COUNTS).read_text(encoding="utf-8")))


def made_notes(folder: Path) -> tuple[str, ...]:
    """What was ranked and what was dropped, for a person."""
    counts = made_counts(folder)
    if not counts["candidates"]:
        return ()
    dropped = [f"{counts[why]:,} {words}" for why, words in _DROPPED.items() if counts[why]]
    told = f"; left out: {', '.join(dropped)}" if dropped else ""
    kept = counts["candidates"] - sum(counts[why] for why in _DROPPED)
    return (f"{kept:,} of {counts['candidates']:,} prompts with several answers became pairs{told}",)


def _whole(answers: Iterable[Answer]) -> Iterator[str]:
    """Those that say something and came to their own end."""
    for one in answers:
        if isinstance(one, Said) and one.text.strip() and not one.control and one.ended in ("stop token", "stop text"):
            yield one.text


def _pair(one: Candidate, figures: list[float], otherwise: str, counts: Counter[str]) -> Iterator[dict[str, Any]]:
    if (found := best_and_worst(figures)) is None:
        counts[otherwise] += 1
        return
    prompt = {key: one.record[key] for key in ("prompt", "messages", "tools", SOURCE) if key in one.record}
    yield {**prompt, CHOSEN: one.answers[found[0]], REJECTED: one.answers[found[1]]}
