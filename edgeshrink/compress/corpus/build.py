"""Make a corpus of files and folders, in a child process: the library `datasets` and the chat template live there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from edgeshrink.catalog.overlap import Items
from edgeshrink.catalog.texts import Text
from edgeshrink.compress.corpus.apart import scratch_of
from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.core.events import Listener, silent
from edgeshrink.errors import DataError
from edgeshrink.runtimes.child import run_job
from edgeshrink.runtimes.progress import forward

JOB = "edgeshrink.compress.corpus.job:job"
SHORTEST = 8


def build_corpus(
    paths: Sequence[Path],
    tokenizer_folder: Path,
    folder: Path,
    *,
    length: int,
    limit_tokens: int | None = None,
    held_out: float = 0.01,
    seed: int = 0,
    learn: Literal["all", "answers"] = "all",
    kept_apart: Sequence[Text] = (),
    kept_items: Sequence[Items] = (),
    listener: Listener = silent,
) -> Corpus:
    """The documents of `paths` in rows of `length` tokens of the model in `tokenizer_folder`, written to `folder`.

    Documents that repeat another are left out; a share `held_out` of the tokens (at least 16 rows of them, at most a
    fifth of all text) is kept from training, whole documents chosen by their text. Of more than `limit_tokens` to train
    on, documents are drawn from all over every source. Memory does not grow with the data. The same call gives the
    same bytes.

    DataError: a path that is not there or cannot be read (with line or row), chats for a model without a template, or
    data that holds `kept_apart` or `kept_items` (file and passage are named). Nothing half-written can be opened.
    """
    if length < SHORTEST:
        raise DataError(f"rows of {length} tokens are too short to learn from", hint=f"take at least {SHORTEST}")
    with scratch_of(folder, kept_apart, kept_items) as scratch:
        parameters = {
            "paths": [str(path.resolve()) for path in paths],
            "tokenizer_folder": str(tokenizer_folder.resolve()),
            "folder": str(folder.resolve()),
            "scratch": str(scratch.resolve()),
            "length": length,
            "limit_tokens": limit_tokens,
            "held_out": held_out,
            "seed": seed,
            "learn": learn,
        }
        run_job(JOB, parameters, on_event=forward(listener, "data"))
    return Corpus.open(folder)
