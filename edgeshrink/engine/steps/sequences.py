"""Steps: a teacher answers prompts; filters keep what is worth learning; a model says how probable that is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.compress.distill.sequences.duplicates import Duplicates
from edgeshrink.compress.distill.sequences.finished import Finished
from edgeshrink.compress.distill.sequences.interface import Filter, Sample
from edgeshrink.compress.distill.sequences.length import Length
from edgeshrink.compress.distill.sequences.near_duplicates import NearDuplicates
from edgeshrink.compress.distill.sequences.perplexity import Perplexity
from edgeshrink.compress.distill.sequences.scored import Scored
from edgeshrink.compress.distill.sequences.sifting import Sifted, line_of, sample_of, sift
from edgeshrink.core.events import Listener
from edgeshrink.errors import StepFailed
from edgeshrink.evaluate.answers import read_answers
from edgeshrink.evaluate.probe_lines import json_lines, probes_line
from edgeshrink.evaluate.probes import Answer, Chosen, Prompt, Said
from edgeshrink.evaluate.prompted import count_prompts, is_right, prompt_table, prompted_items, scored_item
from edgeshrink.evaluate.resumed_asking import ask_on
from edgeshrink.evaluate.slices.interface import Item
from edgeshrink.evaluate.subject import Subject

ANSWERS, ACCEPTED, SIFTED = "answers.jsonl", "accepted.jsonl", "sifted.json"


@dataclass(frozen=True)
class Prompts:
    """Files of prompts, by their digests, and how each prompt is put."""

    files: tuple[Path, ...]
    digests: tuple[str, ...]
    scorer: str | None
    samples: int
    temperature: float
    max_tokens: int
    seed: int
    chat: bool

    @property
    def tables(self) -> list[dict[str, Any]]:
        return [prompt_table(file, scorer=self.scorer, max_tokens=self.max_tokens) for file in self.files]

    def items(self) -> Iterator[Item]:
        drawn = {"samples": self.samples, "temperature": self.temperature, "seed": self.seed}
        return prompted_items(self.tables, **drawn, chat=self.chat)  # type: ignore[arg-type]

    def count(self) -> int:
        return count_prompts(self.tables)


@dataclass(frozen=True)
class AskTeacher:
    """Result: `answers.jsonl`, which `evaluate.answers.read_answers` reads, in the order of `prompts.items()`.

    The key holds a digest of all that is asked, as that of `Ask` does: another scorer needs no other answers. `task`
    names it while it runs.
    """

    subject: Subject
    subject_sha256: str
    prompts: Prompts
    context: int
    threads: int
    runtime_build: str
    task: str = "teacher answers"
    id: ClassVar[str] = "teacher-answers"
    version: ClassVar[int] = 1
    resumes: ClassVar[bool] = True

    def key_parts(self) -> Mapping[str, Any]:
        return asking_key(self.subject, self.subject_sha256, self.prompts.items(), self.context, self.runtime_build)

    def requires(self) -> None:
        self.prompts.count()

    def call(self, workdir: Path, listener: Listener) -> None:
        ask_on(
            self.subject,
            self.prompts.items,
            workdir / ANSWERS,
            context=self.context,
            threads=self.threads,
            total=self.prompts.count(),
            task=self.task,
            listener=listener,
        )

    def ensures(self, workdir: Path) -> None:
        all_answered(workdir, self.prompts.items())


@dataclass(frozen=True)
class SiftAnswers:
    """Result: `accepted.jsonl`, chats and texts to learn from, and `sifted.json`, what each filter dropped.

    `answers`: those of AskTeacher, and their digest. `code`: digest of the person's own scorer, "" without one.
    """

    prompts: Prompts
    answers: tuple[Path, str]
    fewest_words: int
    most_words: int | None
    code: str
    id: ClassVar[str] = "sift-answers"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"prompts": list(self.prompts.digests), "answers": self.answers[1], "code": self.code},
            "parameters": {
                "scorer": self.prompts.scorer,
                "chat": self.prompts.chat,
                "fewest_words": self.fewest_words,
                "most_words": self.most_words,
            },
            "tools": {},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        filters: tuple[Filter, ...] = (
            Finished(),
            Length(self.fewest_words, self.most_words),
            Duplicates(),
            Scored(lambda one: is_right(one.scorer, one.answer, one.expected, one.options)),
            NearDuplicates(),
        )
        asked = zip(self.prompts.items(), read_answers(self.answers[0]), strict=True)
        samples = (one for item, (_, answers) in asked for one in _samples(item, answers))
        _write(workdir, samples, filters, Sifted())

    def ensures(self, workdir: Path) -> None:
        read_sifted(workdir)


@dataclass(frozen=True)
class AskProbability:
    """Result: `answers.jsonl`: how probable the `subject` finds each answer of `accepted`, in their order. `chat`: it
    has a chat template."""

    subject: Subject
    subject_sha256: str
    accepted: tuple[Path, str]
    chat: bool
    context: int
    threads: int
    runtime_build: str
    id: ClassVar[str] = "answer-probability"
    version: ClassVar[int] = 1
    resumes: ClassVar[bool] = True

    def items(self) -> Iterator[Item]:
        for one in _accepted(self.accepted[0]):
            yield scored_item(one.item, Prompt(one.messages, one.text, one.tools), one.answer, chat=self.chat)

    def key_parts(self) -> Mapping[str, Any]:
        return asking_key(self.subject, self.subject_sha256, self.items(), self.context, self.runtime_build)

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        ask_on(
            self.subject,
            self.items,
            workdir / ANSWERS,
            context=self.context,
            threads=self.threads,
            total=sum(1 for _ in self.items()),
            task="score answers",
            listener=listener,
        )

    def ensures(self, workdir: Path) -> None:
        all_answered(workdir, self.items())


@dataclass(frozen=True)
class SiftProbable:
    """Result: as of SiftAnswers, without answers of a higher perplexity than `most`; counts go on from those of
    `accepted`, the folder of a SiftAnswers and its digest."""

    accepted: tuple[Path, str]
    probabilities: tuple[Path, str]
    most: float
    id: ClassVar[str] = "sift-probable"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"accepted": self.accepted[1], "probabilities": self.probabilities[1]},
            "parameters": {"most": self.most},
            "tools": {},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        folder = self.accepted[0]
        before = read_sifted(folder)
        asked = zip(_accepted(folder / ACCEPTED), read_answers(self.probabilities[0]), strict=True)
        samples = (_weighed(one, answer) for one, (_, (answer,)) in asked)
        _write(workdir, samples, (Perplexity(self.most),), Sifted(before.samples - before.kept, 0, before.dropped))

    def ensures(self, workdir: Path) -> None:
        read_sifted(workdir)


def read_sifted(folder: Path) -> Sifted:
    """The counts beside an accepted.jsonl; StepFailed where they do not fit it."""
    counts = Sifted.of(json.loads((folder / SIFTED).read_text(encoding="utf-8")))
    if counts.kept != (found := sum(1 for _ in _accepted(folder / ACCEPTED))):
        raise StepFailed(f"{folder / ACCEPTED} has {found} answers of {counts.kept}", hint="run it again")
    return counts


def asking_key(
    subject: Subject, sha256: str, items: Iterable[Item], context: int, runtime_build: str
) -> Mapping[str, Any]:
    """Of a step that asks `subject`, which has that digest, all of `items`."""
    probes = hashlib.sha256()
    for item in items:
        probes.update(probes_line(item.id, item.probes).encode())
    return {
        "inputs": {"artifact": sha256, "probes": probes.hexdigest()},
        "parameters": {"runtime": subject.runtime, "delegate": subject.delegate, "context": context},
        "tools": {"runtime": runtime_build},
    }


def all_answered(workdir: Path, items: Iterable[Item]) -> None:
    """StepFailed where ANSWERS in `workdir` are not of all of `items`."""
    given = sum(1 for _ in read_answers(workdir / ANSWERS))
    if given != (asked := sum(1 for _ in items)):
        raise StepFailed(f"{given} of {asked} prompts were answered", hint="run it again")


def _samples(item: Item, answers: Iterable[Answer]) -> Iterator[Sample]:
    """One for each answer; what was refused is an empty one."""
    facts = item.facts
    for number, answer in enumerate(answers, start=1):
        said = answer if isinstance(answer, Said) else None
        yield Sample(
            item=f"{item.id}-{number}",
            messages=tuple(facts["messages"]),
            tools=tuple(facts["tools"]),
            text=facts["text"],
            answer="" if said is None else said.text,
            finished=said is not None and said.ended in ("stop token", "stop text"),
            control=() if said is None else said.control,
            scorer=facts["scorer"],
            expected=facts["expected"],
            options=facts["options"],
        )


def _weighed(sample: Sample, answer: Answer) -> Sample:
    if not isinstance(answer, Chosen):
        return sample
    return replace(sample, logprob=answer.logprobs[0], tokens=answer.tokens[0])


def _accepted(file: Path) -> Iterator[Sample]:
    return (sample_of(value) for _, value in json_lines(file, "accepted answers"))


def _write(workdir: Path, samples: Iterable[Sample], filters: tuple[Filter, ...], counts: Sifted) -> None:
    with (workdir / ACCEPTED).open("w", encoding="utf-8") as out:
        for sample in sift(samples, filters, counts):
            out.write(line_of(sample))
    (workdir / SIFTED).write_text(json.dumps(counts.as_json()), encoding="utf-8")
