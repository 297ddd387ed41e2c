"""The child's side: run a file over windows of tokens, and store or compare what it says."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from edgeshrink.core.importance import Floats
from edgeshrink.errors import DataError, NoSpace
from edgeshrink.evaluate.distances import Distances, distances
from edgeshrink.evaluate.reference import LOGITS, OPENING, Reference, read_reference, write_index
from edgeshrink.evaluate.subject import Subject
from edgeshrink.evaluate.windows import Windows, batch_for, cut_windows
from edgeshrink.runtimes.interface import Session

OPENING_TOKENS = 64
STEP_LENGTHS = (4, 8, 12, 16, 20, 24)
"""Beginnings of the first window that are prefilled at once, and decoded one by one."""
DISTANCES, STEPS = "distances.npz", "steps.npy"
Emit = Callable[[dict[str, object]], None]


def reference_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Write a reference folder. Parameters: see `reference.write_reference`."""
    folder, subject = Path(parameters["folder"]), Subject.of(parameters["subject"])
    windows, vocab_size = _cut(subject, parameters)
    with _disk(folder), _open(subject, windows, vocab_size, parameters) as session:
        opening: list[Floats] = []
        with _rows_file(folder / LOGITS, windows.scored, vocab_size) as write:
            for index, start, rows in _run(session, windows, emit):
                _collect_opening(opening, index, rows)
                write(rows[slice(*_scored(windows, start, len(rows)))])
        np.save(folder / OPENING, np.concatenate(opening))
        write_index(folder, parameters["index"], windows, vocab_size)
    return {"tokens": windows.tokens, "scored": windows.scored}


def candidate_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Write `distances.npz`, `opening.npy` and `steps.npy` of a finished file. Parameters: see `distribution.score`."""
    folder, subject = Path(parameters["folder"]), Subject.of(parameters["subject"])
    reference = read_reference(Path(parameters["reference"])) if parameters["reference"] else None
    if reference is None:
        windows, vocab_size = _cut(subject, parameters)
    else:
        windows, vocab_size = reference.windows, reference.vocab_size
    with _open(subject, windows, vocab_size, parameters) as session:
        if session.vocab_size != vocab_size:
            found = f"{session.vocab_size} tokens in its vocabulary"
            raise DataError(f"{subject.path} has {found}, the reference {vocab_size}")
        opening, compared = _compare(session, windows, reference, emit)
        steps = _steps(session, windows.ids[0])
        backend = session.facts().backend
    with _disk(folder):
        compared.save(folder / DISTANCES)
        np.save(folder / OPENING, opening)
        np.save(folder / STEPS, steps)
    return {"windows": windows.ids, "vocab_size": vocab_size, "backend": backend}


def _cut(subject: Subject, parameters: dict[str, Any]) -> tuple[Windows, int]:
    with subject.open_vocabulary() as session:
        windows = cut_windows(
            session, parameters["text"], context=int(parameters["context"]), weights=int(parameters["weights"])
        )
        return windows, session.vocab_size


def _open(subject: Subject, windows: Windows, vocab_size: int, parameters: dict[str, Any]) -> Session:
    batch = batch_for(vocab_size, windows.size)
    return subject.open(context=windows.size, threads=int(parameters["threads"]), batch=batch)


def _run(session: Session, windows: Windows, emit: Emit) -> Iterator[tuple[int, int, Floats]]:
    """(window, position of the first row, logits of some rows), in order."""
    for index, ids in enumerate(windows.ids):
        start = 0
        for rows in session.iter_logits(ids):
            yield index, start, rows
            start += len(rows)
            emit({"done": index * windows.size + start, "total": windows.tokens})


def _compare(session: Session, windows: Windows, reference: Reference | None, emit: Emit) -> tuple[Floats, Distances]:
    stored = None if reference is None else reference.logits()
    opening: list[Floats] = []
    parts: list[Distances] = []
    done = 0
    for index, start, rows in _run(session, windows, emit):
        _collect_opening(opening, index, rows)
        first, last = _scored(windows, start, len(rows))
        if first < last:
            following = windows.ids[index][start + first + 1 : start + last + 1]
            expected = None if stored is None else stored[done : done + last - first]
            parts.append(distances(rows[first:last], expected, following))
            done += last - first
    return np.concatenate(opening), Distances.joined(parts)


def _steps(session: Session, ids: tuple[int, ...]) -> Floats:
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


def _scored(windows: Windows, start: int, rows: int) -> tuple[int, int]:
    """Which of `rows` rows from position `start` are scored: first and behind the last, within the rows."""
    first = max(windows.first - start, 0)
    return min(first, rows), max(min(windows.size - 1 - start, rows), min(first, rows))


def _collect_opening(opening: list[Floats], window: int, rows: Floats) -> None:
    missing = OPENING_TOKENS - sum(len(part) for part in opening)
    if window == 0 and missing > 0:
        opening.append(rows[:missing].copy())


@contextmanager
def _rows_file(path: Path, rows: int, columns: int) -> Iterator[Callable[[Floats], None]]:
    """A .npy of float32 (rows, columns), written row by row and never mapped: a full disk is then an error."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (rows, columns)})
        yield lambda part: _write(file, part)
        file.flush()
        os.fsync(file.fileno())


def _write(file: Any, part: Floats) -> None:
    file.write(np.ascontiguousarray(part, dtype="<f4").data)


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
            raise NoSpace(f"the disk of {folder} is full", hint="free some space, and run the build again") from error
        raise
