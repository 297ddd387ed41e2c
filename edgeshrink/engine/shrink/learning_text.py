"""What a student learns from: the person's files, or text that the teacher writes; never what a suite asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from edgeshrink.compress.corpus.material import Material
from edgeshrink.core.shrinking_request import Teaching
from edgeshrink.core.suite import Suite
from edgeshrink.engine.opened import tokenizer_digest
from edgeshrink.engine.shrink.source import Source, torch_pins
from edgeshrink.engine.steps.corpus import BuildCorpus
from edgeshrink.engine.steps.self_written import FILE, WriteTexts
from edgeshrink.errors import UsageError
from edgeshrink.evaluate.kept_apart import asked_items, asked_texts
from edgeshrink.store import Stored
from edgeshrink.store.digests import remembered_tree_sha256

SELF_WRITTEN_TOKENS = 1_000_000


def learning_text(teacher: Source, student: Source, teaching: Teaching, suite: Suite | None) -> Stored:
    """The corpus of a run, in the student's tokens. DataError where it holds what the suite (or the comparison that
    every build makes) asks."""
    workshop = student.workshop
    check_data(teaching.data)
    paths = teaching.data or (_written_by(teacher, teaching),)
    return workshop.run(
        BuildCorpus(
            material=material_of(student, teaching, paths, suite),
            digests=digests_of(student, paths),
            tokenizer_sha256=tokenizer_digest(workshop.model, workshop.store),
            length=row_length(teaching, teacher, student),
            limit_tokens=_needed(teaching),
            learn=teaching.learn,
        )
    )


def digests_of(student: Source, paths: tuple[Path, ...]) -> tuple[str, ...]:
    """Of each file or folder, remembered in the store."""
    workshop = student.workshop
    return tuple(remembered_tree_sha256(path, workshop.store.notes, workshop.listener) for path in paths)


def material_of(student: Source, teaching: Teaching, paths: tuple[Path, ...], suite: Suite | None) -> Material:
    """`paths`, for `student` to learn from: without what `suite` asks."""
    return Material(
        paths=paths,
        tokenizer=student.folder,
        held_out=teaching.held_out,
        seed=teaching.settings.seed,
        kept_apart=asked_texts(suite),
        kept_items=asked_items(suite),
    )


def check_data(paths: Iterable[Path]) -> None:
    """UsageError where one of the person's files is not there."""
    for path in paths:
        if not path.exists():
            raise UsageError(f"there is no {path}", hint="--data takes text, JSONL, or a folder of datasets")


def part_of(teaching: Teaching, share: float) -> Teaching:
    """`share` of the run on the text of the whole of it, so that several parts read one corpus and share a teacher's
    cache."""
    settings = teaching.settings
    shorter = replace(
        settings,
        steps=None if settings.steps is None else max(1, round(settings.steps * share)),
        minutes=None if settings.minutes is None else settings.minutes * share,
    )
    return replace(teaching, settings=shorter, tokens=_needed(teaching))


def row_length(teaching: Teaching, *models: Source) -> int:
    """Tokens of a row, which every one of the models takes."""
    return min(teaching.settings.length, *(model.workshop.model.facts.context_length for model in models))


def _needed(teaching: Teaching) -> int | None:
    """Tokens of the corpus: what was asked for, else as many as the steps will read; None: all there are."""
    settings = teaching.settings
    if teaching.tokens is not None:
        return teaching.tokens
    return None if settings.steps is None else settings.steps * settings.batch_tokens


def _written_by(teacher: Source, teaching: Teaching) -> Path:
    step = WriteTexts(
        teacher=teacher.folder,
        teacher_sha256=teacher.digest,
        tokens=_needed(teaching) or SELF_WRITTEN_TOKENS,
        length=row_length(teaching, teacher),
        seed=teaching.settings.seed,
        threads=teacher.workshop.threads,
        tools=torch_pins(),
    )
    return teacher.workshop.run(step).file(FILE)
