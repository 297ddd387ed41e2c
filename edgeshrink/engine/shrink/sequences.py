"""What a student learns of a teacher that writes: its answers to the person's prompts, those that filters accept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeshrink.catalog.texts import evaluation_text
from edgeshrink.core.shrinking_request import Sampling, Teaching
from edgeshrink.engine.shrink.source import Source
from edgeshrink.engine.steps.sequences import (
    ACCEPTED,
    ANSWERS,
    AskProbability,
    AskTeacher,
    Prompts,
    SiftAnswers,
    SiftProbable,
    read_sifted,
)
from edgeshrink.engine.steps.traits import ReadTraits, stored_traits
from edgeshrink.engine.suite.of_build import LONGEST
from edgeshrink.errors import DataError, PlanError, UsageError
from edgeshrink.evaluate.scorers.registry import FUNCTION, SCORERS, kind_of
from edgeshrink.evaluate.subject import Subject
from edgeshrink.store import Stored
from edgeshrink.store.digests import combined_sha256, file_sha256, remembered_sha256

_JSONL = ".jsonl"


def accepted_answers(teacher: Source, student: Source, teaching: Teaching) -> Path:
    """A JSONL file of chats and texts, the teacher's accepted answers. A run that was broken off goes on behind the
    last answer.

    UsageError: no prompts, or no such scorer. DataError: a line that is no prompt, or nothing was accepted. PlanError:
    this machine cannot run a model that has to be.
    """
    sampling, workshop = teaching.sampling or Sampling(), teacher.workshop
    files = prompt_files(teaching)
    asked = runnable(teacher)
    prompts = Prompts(
        files=files,
        digests=tuple(remembered_sha256(file, workshop.store.notes, workshop.listener) for file in files),
        scorer=sampling.scorer,
        samples=sampling.samples if sampling.temperature > 0 else 1,
        temperature=sampling.temperature,
        max_tokens=sampling.max_tokens,
        seed=teaching.settings.seed,
        chat=asked.chat,
    )
    answers = workshop.run(
        AskTeacher(asked.subject, asked.sha256, prompts, asked.context, workshop.threads, workshop.runtime_build())
    )
    sifted = workshop.run(
        SiftAnswers(
            prompts=prompts,
            answers=(answers.file(ANSWERS), answers.digests[ANSWERS]),
            fewest_words=sampling.fewest_words,
            most_words=sampling.most_words,
            code=_code_sha256(sampling.scorer, files),
        )
    )
    if sampling.perplexity_max is not None:
        judge = student if sampling.perplexity_of == "student" else teacher
        sifted = _probable(sifted, judge, sampling.perplexity_max)
    if not (counts := read_sifted(sifted.folder)).kept:
        raise DataError(counts.note, hint="loosen --scorer, ask for more --samples, or give other prompts")
    return sifted.file(ACCEPTED)


def sampling_notes(accepted: Path) -> tuple[str, ...]:
    """What was dropped on the way to the file that `accepted_answers` gave, for a person."""
    return (read_sifted(accepted.parent).note,)


def prompt_files(teaching: Teaching) -> tuple[Path, ...]:
    """Those of --prompts; without, the JSONL files of --data. UsageError where there are none, or one is missing."""
    sampling = teaching.sampling or Sampling()
    files = sampling.prompts or tuple(path for path in teaching.data if path.suffix == _JSONL)
    if not files:
        raise UsageError(
            "there are no prompts for the teacher to answer",
            hint='give --prompts FILE, a JSONL with one {"prompt": "..."} or {"messages": [...]} a line',
        )
    for file in files:
        if not file.is_file():
            raise UsageError(f"there is no file {file}", hint="--prompts takes a JSONL file")
    if sampling.scorer is not None and kind_of(sampling.scorer) is None:
        raise UsageError(f"there is no scorer {sampling.scorer!r}", hint=f"one of {', '.join(SCORERS)}")
    return tuple(file.resolve() for file in files)


@dataclass(frozen=True, slots=True)
class Asked:
    """A model's unquantized GGUF; `chat`: it has a chat template."""

    subject: Subject
    sha256: str
    chat: bool
    context: int


def runnable(source: Source) -> Asked:
    """What is asked where a model is to answer. PlanError where it is too large for this machine."""
    workshop = source.workshop
    if workshop.reference_too_big is not None:
        raise PlanError(
            workshop.reference_too_big, hint="have another machine write the answers, and give them as --data"
        )
    file = workshop.reference_file
    subject = Subject(file.path, "llama_cpp", "cpu")
    traits = workshop.run(ReadTraits(subject, file.sha256, evaluation_text(), workshop.runtime_build()))
    context = min(workshop.model.facts.context_length, LONGEST)
    return Asked(subject, file.sha256, stored_traits(traits.folder).chat, context)


def _probable(sifted: Stored, judge: Source, most: float) -> Stored:
    asked, workshop = runnable(judge), judge.workshop
    accepted = sifted.file(ACCEPTED), sifted.digests[ACCEPTED]
    answers = workshop.run(
        AskProbability(
            subject=asked.subject,
            subject_sha256=asked.sha256,
            accepted=accepted,
            chat=asked.chat,
            context=asked.context,
            threads=workshop.threads,
            runtime_build=workshop.runtime_build(),
        )
    )
    folder = (sifted.folder, sifted.digest)
    return workshop.run(SiftProbable(folder, (answers.file(ANSWERS), answers.digests[ANSWERS]), most))


def _code_sha256(scorer: str | None, files: tuple[Path, ...]) -> str:
    """Of the module beside the prompts that a scorer of one's own stands in."""
    if scorer is None or kind_of(scorer) != FUNCTION:
        return ""
    name = scorer.partition(":")[0].replace(".", "/") + ".py"
    found = [(str(place), file.parent / name) for place, file in enumerate(files) if (file.parent / name).is_file()]
    return combined_sha256((place, file_sha256(code)) for place, code in found)
