"""Make a corpus of files and folders, in a child process: the library `datasets` lives there."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.corpus.material import Material, make_corpus
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.shrinking_request import Learn
from edgeshrink.errors import DataError

JOB: Final = "edgeshrink.compress.corpus.job:job"
SHORTEST: Final = 8


def build_corpus(
    material: Material,
    folder: Path,
    *,
    length: int,
    limit_tokens: int | None = None,
    learn: Learn = "all",
    listener: Listener = silent,
) -> Corpus:
    """The documents of `material` in rows of `length` tokens, written to `folder`.

    Documents that repeat another are left out; its share `held_out` of the tokens (at least 16 rows of them, at most a
    fifth of all text) is kept from training, whole documents chosen by their text. Of more than `limit_tokens` to train
    on, documents are drawn from all over every source. Memory does not grow with the data. The same call gives the
    same bytes.

    DataError: a path that is not there or cannot be read (with line or row), chats for a model without a template, or
    data that holds `kept_apart` or `kept_items` (file and passage are named). Nothing half-written can be opened.
    """
    if length < SHORTEST:
        raise DataError(f"rows of {length} tokens are too short to learn from", hint=f"take at least {SHORTEST}")
    parameters: dict[str, object] = {"length": length, "limit_tokens": limit_tokens, "learn": learn}
    return make_corpus(JOB, material, folder, parameters, title="data", listener=listener)
