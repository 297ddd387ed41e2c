"""The child's side: run a file over windows of tokens, and store or compare what it says."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from edgeshrink.core.importance import Floats
from edgeshrink.errors import DataError
from edgeshrink.evaluate.compact import compact
from edgeshrink.evaluate.distances import Distances
from edgeshrink.evaluate.reference import OPENING, ROWS, StoredText, read_reference, write_index
from edgeshrink.evaluate.spelling import Spelling, write_spelling
from edgeshrink.evaluate.subject import Subject
from edgeshrink.evaluate.walk import Batch, Comparison, told_disk, walk
from edgeshrink.evaluate.windows import Windows, batch_for, cut_round, cut_windows, windows_of_round
from edgeshrink.runtimes.interface import Session

OPENING_TOKENS = 64
STEP_LENGTHS = (4, 8, 12, 16, 20, 24)
"""Beginnings of the first window that are prefilled at once, and decoded one by one."""
DISTANCES, STEPS = "distances.npz", "steps.npy"
Emit = Callable[[dict[str, object]], None]


def reference_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Write a reference folder. Parameters: see `reference.write_reference` and `read_texts`."""
    folder, subject, threads = Path(parameters["folder"]), Subject.of(parameters["subject"]), int(parameters["threads"])
    texts, vocab_size, notes = _cut(subject, parameters)
    with told_disk(folder):
        with (folder / ROWS).open("wb") as file:
            if texts:
                with open_for(subject, texts, vocab_size, threads) as session:
                    opening = _write_rows(session, texts, file.write, threads, emit)
                    if parameters["tokens_each"] is None:
                        np.save(folder / OPENING, opening)
                    else:
                        windows = (ids for text in texts for ids in text.windows.ids)
                        write_spelling(folder, Spelling.of(session, chain.from_iterable(windows)))
            file.flush()
            os.fsync(file.fileno())
        write_index(folder, parameters["index"], texts, vocab_size, notes)
    return {}


def candidate_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Write `distances.npz`, `opening.npy` and `steps.npy` of a finished file. Parameters: see `distribution.score`."""
    folder, subject, threads = Path(parameters["folder"]), Subject.of(parameters["subject"]), int(parameters["threads"])
    reference = read_reference(Path(parameters["reference"])) if parameters["reference"] else None
    if reference is None:
        texts, vocab_size, _ = _cut(subject, parameters)
    else:
        texts, vocab_size = list(reference.texts[:1]), reference.vocab_size
    windows = texts[0].windows
    with open_for(subject, texts, vocab_size, threads) as session:
        require_vocabulary(session, vocab_size, subject)
        comparison = Comparison(reference, threads)
        parts: list[Distances] = []
        opening: list[Floats] = []
        for batch in walk(session, windows, teller(texts, emit)):
            _collect_opening(opening, batch)
            if (found := comparison.of(batch)) is not None:
                parts.append(found)
        steps = _steps(session, windows.ids[0])
        backend = session.facts().backend
    with told_disk(folder):
        Distances.joined(parts).save(folder / DISTANCES)
        np.save(folder / OPENING, np.concatenate(opening))
        np.save(folder / STEPS, steps)
    return {"windows": [list(ids) for ids in windows.ids], "vocab_size": vocab_size, "backend": backend}


def open_for(subject: Subject, texts: list[StoredText], vocab_size: int, threads: int) -> Session:
    """Loaded with a context for the longest windows."""
    size = max(text.windows.size for text in texts)
    return subject.open(context=size, threads=threads, batch=batch_for(vocab_size, size))


def require_vocabulary(session: Session, vocab_size: int, subject: Subject) -> None:
    """DataError where it is not the reference's."""
    if session.vocab_size != vocab_size:
        found = f"{session.vocab_size} tokens in its vocabulary"
        raise DataError(
            f"{subject.path} has {found}, the reference {vocab_size}",
            hint="name the model that it was made from",
        )


def teller(texts: list[StoredText], emit: Emit) -> Callable[[int], None]:
    """Of tokens that were run just now: says how far all texts are."""
    total, done = sum(text.windows.tokens for text in texts), 0

    def tell(tokens: int) -> None:
        nonlocal done
        done += tokens
        emit({"done": done, "total": total})

    return tell


def _cut(subject: Subject, parameters: dict[str, Any]) -> tuple[list[StoredText], int, list[str]]:
    """The texts that have windows, the size of the vocabulary, and what to say of texts that have too few."""
    texts: list[StoredText] = []
    notes: list[str] = []
    context, wanted = int(parameters["context"]), parameters["tokens_each"]
    with subject.open_vocabulary() as session:
        for text in parameters["texts"]:
            if wanted is None:
                windows: Windows | None = cut_windows(
                    session, text["text"], context=context, weights=int(parameters["weights"])
                )
                tokens = 0
            else:
                windows, tokens = cut_round(
                    session, text["text"], context=context, tokens=wanted, round=int(text["round"])
                )
                if windows is None or len(windows.ids) < windows_of_round(windows.size, wanted, int(text["round"]))[1]:
                    notes.append(f"text/{text['label']}: all of its {tokens:,} tokens are read")
            if windows is not None:
                given = (text["label"], text["title"], text["name"], text["sha256"])
                texts.append(StoredText(*given, tokens, windows.packed()))
        return texts, session.vocab_size, notes


def _write_rows(
    session: Session, texts: list[StoredText], write: Callable[[bytes], object], threads: int, emit: Emit
) -> Floats:
    """The first positions' logits."""
    opening: list[Floats] = []
    tell = teller(texts, emit)
    for text in texts:
        for batch in walk(session, text.windows, tell):
            if text is texts[0]:
                _collect_opening(opening, batch)
            rows, following = batch.scored
            write(compact(rows, following, threads=threads).tobytes())
    return np.concatenate(opening)


def _steps(session: Session, ids: Sequence[int]) -> Floats:
    """Logits (2, beginnings, vocabulary) after each beginning of `ids`: by one prefill of it, and by a step a token."""
    lengths = [length for length in STEP_LENGTHS if length <= len(ids)] or [len(ids)]
    at_once, one_by_one = [], []
    for length in lengths:
        session.reset()
        at_once.append(session.prefill(ids[:length]))
    session.reset()
    last = session.prefill(ids[:1])
    for position, token in enumerate(ids[: lengths[-1]], start=1):
        last = last if position == 1 else session.decode(token)
        if position in lengths:
            one_by_one.append(last)
    return np.stack([np.stack(at_once), np.stack(one_by_one)])


def _collect_opening(opening: list[Floats], batch: Batch) -> None:
    missing = OPENING_TOKENS - sum(len(part) for part in opening)
    if batch.window == 0 and missing > 0:
        opening.append(batch.rows[:missing].copy())
