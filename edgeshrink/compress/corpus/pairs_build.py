"""Make a corpus of pairs of answers, in a child process: the chat template lives there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgeshrink.catalog.overlap import Items
from edgeshrink.catalog.texts import Text
from edgeshrink.compress.corpus.apart import scratch_of
from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.core.events import Listener, silent
from edgeshrink.runtimes.child import run_job
from edgeshrink.runtimes.progress import forward

JOB: Final = "edgeshrink.compress.corpus.pairs_job:job"
SOURCE: Final = "source"
"""Of a line of pairs: the number of the file that it came from."""


def build_pairs(
    pairs: Path,
    paths: Sequence[Path],
    tokenizer_folder: Path,
    folder: Path,
    *,
    half: int,
    text: Path | None = None,
    held_out: float = 0.01,
    seed: int = 0,
    notes: Sequence[str] = (),
    kept_apart: Sequence[Text] = (),
    kept_items: Sequence[Items] = (),
    listener: Listener = silent,
) -> Corpus:
    """The pairs in the JSONL file `pairs`, one a row of twice `half` tokens of the model in `tokenizer_folder`.

    The first half of a row is the prompt with the chosen answer, the second that with the rejected one, each padded.
    Weights are 1 for what was chosen and `corpus.REJECTED` for what was not; a pair of which an answer does not fit its
    half is left out and counted. Each line of `pairs` has a SOURCE, its place among the person's `paths`. `text`: a
    corpus with rows of `half` tokens, of which as many rows as there are pairs follow, two halves each.

    A share `held_out` of the prompts (enough for 100 pairs, a fifth at most) is kept from training with all their
    pairs. The same call gives the same bytes. DataError where nothing is left, or the pairs hold `kept_apart` or
    `kept_items`.
    """
    with scratch_of(folder, kept_apart, kept_items) as scratch:
        parameters = {
            "pairs": str(pairs.resolve()),
            "paths": [str(path.resolve()) for path in paths],
            "tokenizer_folder": str(tokenizer_folder.resolve()),
            "folder": str(folder.resolve()),
            "scratch": str(scratch.resolve()),
            "half": half,
            "text": None if text is None else str(text.resolve()),
            "held_out": held_out,
            "seed": seed,
            "notes": list(notes),
        }
        run_job(JOB, parameters, on_event=forward(listener, "pairs"))
    return Corpus.open(folder)
