"""Make a corpus of pairs of answers, in a child process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.corpus.material import Material, make_corpus
from edgeshrink.core.events import Listener, silent

JOB: Final = "edgeshrink.compress.corpus.pairs_job:job"
SOURCE: Final = "source"
"""Of a line of pairs: the number of the file that it came from."""


def build_pairs(
    pairs: Path,
    material: Material,
    folder: Path,
    *,
    half: int,
    text: Path | None = None,
    notes: Sequence[str] = (),
    listener: Listener = silent,
) -> Corpus:
    """The pairs in the JSONL file `pairs`, one a row of twice `half` tokens; they came of the files of `material`.

    The first half of a row is the prompt with the chosen answer, the second that with the rejected one, each padded.
    Weights are 1 for what was chosen and `corpus.REJECTED` for what was not; a pair of which an answer does not fit its
    half is left out and counted. Each line of `pairs` has a SOURCE, its place among those files. `text`: a
    corpus with rows of `half` tokens, of which as many rows as there are pairs follow, two halves each.

    The share `held_out` of the prompts (enough for 100 pairs, a fifth at most) is kept from training with all their
    pairs. The same call gives the same bytes. DataError where nothing is left, or the pairs hold what is kept
    apart.
    """
    parameters: dict[str, object] = {
        "pairs": str(pairs.resolve()),
        "half": half,
        "text": None if text is None else str(text.resolve()),
        "notes": list(notes),
    }
    return make_corpus(JOB, material, folder, parameters, title="pairs", listener=listener)
