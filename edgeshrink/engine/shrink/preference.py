"""What objective preference learns from: pairs of answers, given or ranked by the teacher; what came of it, and whether
that cost anything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.corpus.jsonl_files import jsonl_records
from edgeshrink.compress.corpus.pairs import kind_of
from edgeshrink.compress.corpus.sources import RECORDS
from edgeshrink.compress.distill.agreeing import read_agreed
from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.shrinking import Learnt
from edgeshrink.core.shrinking_request import Sampling, Teaching
from edgeshrink.core.suite import Suite
from edgeshrink.core.verdict import VerdictLine
from edgeshrink.engine.opened import tokenizer_digest
from edgeshrink.engine.shrink.examined import examined
from edgeshrink.engine.shrink.learning_text import check_data, learning_text, material_of, row_length
from edgeshrink.engine.shrink.sequences import runnable
from edgeshrink.engine.shrink.source import Source, torch_pins
from edgeshrink.engine.steps.dividing_pairs import ANSWERED, GIVEN, PROMPTS, DividePairs, divided
from edgeshrink.engine.steps.pairs import BuildPairs, CountAgreement
from edgeshrink.engine.steps.ranking import PAIRS, Candidates, File, MakePairs, RankAnswers, made_counts, made_notes
from edgeshrink.engine.steps.sequences import ANSWERS, AskTeacher
from edgeshrink.engine.steps.sequences import Prompts as Asked
from edgeshrink.errors import UsageError
from edgeshrink.evaluate.scorers.registry import FUNCTION, SCORERS
from edgeshrink.evaluate.scorers.registry import kind_of as scorer_kind
from edgeshrink.judging.kept import capability_line, fallen
from edgeshrink.store import Stored
from edgeshrink.store.digests import remembered_sha256

SAMPLES: Final = 4
"""Answers that a student gives to a prompt alone, where nobody says how many: two may be the same."""


def pairs_corpus(teacher: Source, student: Source, teaching: Teaching, suite: Suite | None) -> Stored:
    """A corpus of pairs (`compress.corpus.pairs_build`), in the student's tokens.

    Of the files of `teaching` those that hold pairs, prompts with answers or prompts alone are taken for pairs, and the
    rest is plain text, to be read as the teacher does. The student answers prompts alone; the teacher ranks answers, or
    the scorer that a prompt names. UsageError: nothing to prefer, or no such file or scorer. DataError: a line that is
    none of these, nothing that could be ranked, or what the suite asks. PlanError: this machine cannot run a model
    that has to answer or to rank.
    """
    sampling, workshop = teaching.sampling or Sampling(), student.workshop
    if teaching.tokens is not None:
        raise UsageError("pairs are all learnt from, whatever tokens they have", hint="leave --tokens out")
    files, texts = _by_kind(teaching)
    digests = tuple(remembered_sha256(file, workshop.store.notes, workshop.listener) for file in files)
    given = workshop.run(DividePairs(files, digests, _scorer(sampling), sampling.max_tokens))
    candidates = _candidates(teacher, student, given, teaching)
    ranks = None if candidates is None else _ranks(teacher, candidates)
    made = workshop.run(MakePairs(_file(given, GIVEN), candidates, ranks))
    half, text = row_length(teaching, teacher, student), None
    if texts:
        most = 2 * half * made_counts(made.folder)["pairs"]
        text = learning_text(teacher, student, replace(teaching, data=texts, tokens=most), suite)
    return workshop.run(
        BuildPairs(
            pairs=_file(made, PAIRS),
            notes=made_notes(made.folder),
            material=material_of(student, teaching, files, suite),
            digests=digests,
            tokenizer_sha256=tokenizer_digest(workshop.model, workshop.store),
            half=half,
            text=None if text is None else (text.folder, text.digest),
        )
    )


def pairs_notes(corpus: Stored) -> tuple[str, ...]:
    """What was ranked and what was left out on the way to `corpus`, for a person."""
    return Corpus.open(corpus.folder).notes


def agreement(before: Source, after: Source, teacher: Source, corpus: Stored) -> tuple[Learnt, ...]:
    """With how many held-out pairs of `corpus` the student agrees, before and after, and its teacher; nothing where
    none were held out. All have the student's vocabulary."""
    if not Corpus.open(corpus.folder).held_out_rows:
        return ()
    models = {source.digest: source.folder for source in (before, after, teacher)}
    asked = tuple((folder, digest) for digest, folder in models.items())
    workshop = after.workshop
    step = CountAgreement(asked, (corpus.folder, corpus.digest), workshop.threads, torch_pins())
    found = read_agreed(workshop.run(step).folder)
    counts = dict(zip(models, found.agreeing, strict=True))
    return (
        Learnt(
            name="agrees with held-out pairs",
            what="finds the answer that was chosen more probable, a token, than the one that was rejected",
            items=found.pairs,
            before=counts[before.digest],
            after=counts[after.digest],
            teacher=counts[teacher.digest],
        ),
    )


def capability(
    teacher: Source, before: Source, behaviour: Behaviour | Unmeasured, suite: Suite, floor: QualityFloor
) -> VerdictLine:
    """Whether the student that showed `behaviour` does any task worse than it did `before`, beyond noise. Where the
    student was not its own teacher, the suite asks it as it was, too."""
    if isinstance(behaviour, Unmeasured):
        return capability_line(behaviour)
    then = None if before.digest == teacher.digest else examined(teacher, before, suite, floor)
    return capability_line(then if isinstance(then, Unmeasured) else fallen(behaviour, then))


def _by_kind(teaching: Teaching) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """(files of pairs and prompts, files and folders of text), each once."""
    sampling = teaching.sampling or Sampling()
    check_data((*teaching.data, *sampling.prompts))
    paths = tuple(dict.fromkeys(path.resolve() for path in (*sampling.prompts, *teaching.data)))
    pairs = tuple(path for path in paths if _holds_pairs(path))
    if not pairs:
        raise UsageError(
            "there are no pairs to prefer by",
            hint='--data takes JSONL of {"prompt", "chosen", "rejected"}, {"prompt", "answers"} or {"prompt"}',
        )
    return pairs, tuple(path for path in paths if path not in pairs)


def _holds_pairs(path: Path) -> bool:
    """By the first record: a file holds one or the other."""
    if not (path.is_file() and path.name.lower().endswith(RECORDS)):
        return False
    _, record = next(jsonl_records(path), ("", None))
    return kind_of(record) is not None


def _scorer(sampling: Sampling) -> str | None:
    kind = None if sampling.scorer is None else scorer_kind(sampling.scorer)
    if sampling.scorer is not None and (kind is None or kind == FUNCTION):
        raise UsageError(f"{sampling.scorer!r} cannot rank answers", hint=f"one of {', '.join(SCORERS)}")
    return sampling.scorer


def _candidates(teacher: Source, student: Source, given: Stored, teaching: Teaching) -> Candidates | None:
    """With the student's answers, where there are prompts alone; None where there is nothing to rank."""
    counts, sampling = divided(given.folder), teaching.sampling or Sampling()
    if not counts[ANSWERED] and not counts[PROMPTS]:
        return None
    sampled: tuple[Asked, File] | None = None
    if counts[PROMPTS]:
        workshop, asked = student.workshop, runnable(student)
        prompts = Asked(
            files=(given.file(PROMPTS),),
            digests=(given.digests[PROMPTS],),
            scorer=sampling.scorer,
            samples=sampling.samples if sampling.samples > 1 else SAMPLES,
            temperature=sampling.temperature if sampling.temperature > 0 else 1.0,
            max_tokens=sampling.max_tokens,
            seed=teaching.settings.seed,
            chat=asked.chat,
        )
        step = AskTeacher(
            asked.subject,
            asked.sha256,
            prompts,
            asked.context,
            workshop.threads,
            workshop.runtime_build(),
            task="the student's answers",
        )
        sampled = prompts, _file(workshop.run(step), ANSWERS)
    return Candidates(_file(given, ANSWERED), sampled, sampling.scorer, runnable(teacher).chat)


def _ranks(teacher: Source, candidates: Candidates) -> File | None:
    if not candidates.count():
        return None
    asked, workshop = runnable(teacher), teacher.workshop
    step = RankAnswers(
        asked.subject, asked.sha256, candidates, asked.context, workshop.threads, workshop.runtime_build()
    )
    return _file(workshop.run(step), ANSWERS)


def _file(stored: Stored, name: str) -> File:
    return stored.file(name), stored.digests[name]
