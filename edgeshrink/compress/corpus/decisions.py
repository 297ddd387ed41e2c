"""Make a corpus of cases that decide something, in a child process: the chat template and the data live there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgeshrink.catalog.overlap import Items
from edgeshrink.catalog.texts import Text
from edgeshrink.compress.corpus.apart import scratch_of
from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.core.events import Listener, silent
from edgeshrink.errors import UsageError
from edgeshrink.runtimes.child import run_job
from edgeshrink.runtimes.progress import forward

JOB: Final = "edgeshrink.compress.corpus.decisions_job:job"
HEAVIEST: Final = 254
"""Of a token that decides: a weight is one byte, and 255 marks something else (`corpus.REJECTED`)."""


def build_decisions(
    paths: Sequence[Path],
    tokenizer_folder: Path,
    folder: Path,
    *,
    length: int,
    decision_weight: int,
    held_out: float = 0.01,
    seed: int = 0,
    kept_apart: Sequence[Text] = (),
    kept_items: Sequence[Items] = (),
    listener: Listener = silent,
) -> Corpus:
    """The cases (`cases.case_of`) of the JSONL files among `paths`, one a row, with `decision_weight` at the token that
    decides; whatever else `paths` hold is packed into rows of its own, and counts whole.

    Rows are as long as the longest case, `length` at most (which they are where there is other text, too); cases of
    more tokens are left out and counted. A share `held_out` of pairs, of 200 cases at least and a fifth at most, is
    kept from training: never one case of a pair alone. The held-out decisions lie beside the rows (`decision_files`).
    The same call gives the same bytes; memory does not grow with the data.

    UsageError for a weight that a row cannot hold. DataError: a record that is no case (with its line), no case at all,
    a model without a chat template, or data that holds `kept_apart` or `kept_items`.
    """
    if not 1 <= decision_weight <= HEAVIEST:
        raise UsageError(f"a token that decides counts 1 to {HEAVIEST} times, found {decision_weight}")
    with scratch_of(folder, kept_apart, kept_items) as scratch:
        parameters = {
            "paths": [str(path.resolve()) for path in paths],
            "tokenizer_folder": str(tokenizer_folder.resolve()),
            "folder": str(folder.resolve()),
            "scratch": str(scratch.resolve()),
            "length": length,
            "decision_weight": decision_weight,
            "held_out": held_out,
            "seed": seed,
        }
        run_job(JOB, parameters, on_event=forward(listener, "data"))
    return Corpus.open(folder)
