"""The child's side: run a GGUF over windows of tokens, and store or compare what it says."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.core.importance import Floats
from edgeshrink.errors import DataError, NoSpace
from edgeshrink.evaluate.distances import Distances, distances
from edgeshrink.evaluate.reference import LOGITS, OPENING, read_reference, write_index
from edgeshrink.evaluate.windows import Windows, batch_for, cut_windows

OPENING_TOKENS = 64
DISTANCES = "distances.npz"
Emit = Callable[[dict[str, object]], None]


def reference_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Write a reference folder. Parameters: see `reference.write_reference`."""
    folder = Path(parameters["folder"])
    gguf, threads = Path(parameters["gguf"]), int(parameters["threads"])
    windows, vocab_size = _windows(gguf, parameters["text"], int(parameters["context"]))
    with _disk(folder):
        opening: list[Floats] = []
        with _rows_file(folder / LOGITS, windows.scored, vocab_size) as write:
            for index, start, rows in _run(gguf, windows, vocab_size, threads, emit):
                _collect_opening(opening, index, rows)
                write(rows[slice(*_scored(windows, start, len(rows)))])
        np.save(folder / OPENING, np.concatenate(opening))
        write_index(folder, parameters["index"], windows, vocab_size)
    return {"tokens": windows.tokens, "scored": windows.scored}


def candidate_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Write `distances.npz` and `opening.npy` of a finished file. Parameters: see `distribution.score`."""
    folder = Path(parameters["folder"])
    gguf, threads = Path(parameters["gguf"]), int(parameters["threads"])
    reference = read_reference(Path(parameters["reference"])) if parameters["reference"] else None
    windows, vocab_size = _windows(gguf, parameters["text"], int(parameters["context"]))
    if reference is not None:
        windows = reference.windows
        if reference.vocab_size != vocab_size:
            raise DataError(f"{gguf} has {vocab_size} tokens in its vocabulary, the reference {reference.vocab_size}")
    stored = None if reference is None else reference.logits()
    opening: list[Floats] = []
    parts: list[Distances] = []
    done = 0
    for index, start, rows in _run(gguf, windows, vocab_size, threads, emit):
        _collect_opening(opening, index, rows)
        first, last = _scored(windows, start, len(rows))
        if first < last:
            following = windows.ids[index][start + first + 1 : start + last + 1]
            expected = None if stored is None else stored[done : done + last - first]
            parts.append(distances(rows[first:last], expected, following))
            done += last - first
    with _disk(folder):
        Distances.joined(parts).save(folder / DISTANCES)
        np.save(folder / OPENING, np.concatenate(opening))
    return {"windows": windows.ids, "vocab_size": vocab_size}


def _windows(gguf: Path, text: str, context: int) -> tuple[Windows, int]:
    from edgeshrink.runtimes import llama_cpp

    header = read_gguf_header(gguf)
    weights = sum(math.prod(tensor.shape) for tensor in header.tensors if len(tensor.shape) > 1)
    architecture = str(header.value("general.architecture"))
    longest = header.value(f"{architecture}.context_length")
    context = min(context, longest) if isinstance(longest, int) else context
    with llama_cpp.load(gguf, context=64, threads=1, vocab_only=True) as session:
        return cut_windows(session, text, context=context, weights=weights), session.vocab_size


def _run(gguf: Path, windows: Windows, vocab_size: int, threads: int, emit: Emit) -> Iterator[tuple[int, int, Floats]]:
    """(window, position of the first row, logits of some rows), in order."""
    from edgeshrink.runtimes import llama_cpp

    with llama_cpp.load(
        gguf, context=windows.size, threads=threads, kv_type="f32", batch=batch_for(vocab_size, windows.size)
    ) as session:
        for index, ids in enumerate(windows.ids):
            start = 0
            for rows in session.iter_logits(ids):
                yield index, start, rows
                start += len(rows)
                emit({"done": index * windows.size + start, "total": windows.tokens})


def _scored(windows: Windows, start: int, rows: int) -> tuple[int, int]:
    """Which of `rows` rows from position `start` are scored: first and behind the last, within the rows."""
    first = max(windows.first - start, 0)
    return min(first, rows), max(min(windows.size - 1 - start, rows), min(first, rows))


def _collect_opening(opening: list[Floats], window: int, rows: Floats) -> None:
    missing = OPENING_TOKENS - sum(len(part) for part in opening)
    if window == 0 and missing > 0:
        opening.append(rows[:missing])


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
