"""The child's side of `write_cache`: the teacher reads the corpus, some rows at a time. Imports torch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgeshrink.compress.corpus.corpus import PARTS, Corpus
from edgeshrink.compress.distill.models import load_frozen
from edgeshrink.compress.distill.teacher_cache.cache import CACHE_FILE, CacheFacts, TeacherCache, content_sha256, finish
from edgeshrink.compress.distill.teacher_cache.progress import Progress
from edgeshrink.compress.distill.teacher_cache.settings import CacheSettings
from edgeshrink.compress.distill.teacher_cache.teller import Teller
from edgeshrink.errors import DataError

Emit = Callable[[dict[str, object]], None]
_TOKENS_AT_ONCE = 4096
_SAVED_EVERY_S = 5.0


def job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Parameters: see `write_cache`."""
    torch.set_num_threads(int(parameters["threads"]))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    corpus = Corpus.open(Path(parameters["corpus"]))
    teacher = load_frozen(Path(parameters["teacher"]), device=device)
    write(Teller(teacher, CacheSettings(**parameters["settings"]), device), corpus, Path(parameters["folder"]), emit)
    return {}


def write(teller: Teller, corpus: Corpus, folder: Path, emit: Emit) -> None:
    """Go on with what is in `folder`, to its end."""
    if corpus.vocab_size > teller.vocab_size:
        raise DataError(
            f"the corpus has tokens of a vocabulary of {corpus.vocab_size}, and the teacher knows {teller.vocab_size}",
            hint="make the corpus with the teacher's tokenizer",
        )
    folder.mkdir(parents=True, exist_ok=True)
    progress = Progress.of(folder, {"settings": asdict(teller.settings), "corpus": corpus.digest})
    if not _finished(teller, corpus, folder):
        tokens_s = _tell(teller, corpus, progress, emit)
        rows = corpus.rows + corpus.held_out_rows
        facts = CacheFacts(
            settings=teller.settings,
            corpus=corpus.digest,
            vocab_size=teller.vocab_size,
            length=corpus.length,
            rows=corpus.rows,
            held_out_rows=corpus.held_out_rows,
            bytes_per_token=teller.row_type(corpus).itemsize / corpus.length if rows else 0.0,
            sha256=content_sha256(folder),
            tokens_s=tokens_s,
        )
        finish(folder, facts)
    progress.remove()


def _finished(teller: Teller, corpus: Corpus, folder: Path) -> bool:
    if not (folder / CACHE_FILE).is_file():
        return False
    facts = TeacherCache.open(folder).facts
    return (facts.corpus, facts.settings) == (corpus.digest, teller.settings)


def _tell(teller: Teller, corpus: Corpus, progress: Progress, emit: Emit) -> float:
    """Write what is missing of both files; tokens a second."""
    counts = {"train": corpus.rows, "held_out": corpus.held_out_rows}
    total = sum(counts.values()) * corpus.length
    row_bytes = teller.row_type(corpus).itemsize
    at_once = max(1, _TOKENS_AT_ONCE // corpus.length)
    began = saved = time.monotonic()
    before = progress.rows
    for part in PARTS:
        with progress.open(part, row_bytes) as stream:
            for first in range(progress.done[part], counts[part], at_once):
                rows = np.arange(first, min(counts[part], first + at_once), dtype=np.int64)
                stream.write(teller.records(corpus, rows, part).tobytes())
                progress.done[part] += len(rows)
                emit({"done": progress.rows * corpus.length, "total": total})
                if time.monotonic() - saved > _SAVED_EVERY_S:
                    progress.save(stream)
                    saved = time.monotonic()
            progress.save(stream)
    return (progress.rows - before) * corpus.length / max(time.monotonic() - began, 1e-9)
