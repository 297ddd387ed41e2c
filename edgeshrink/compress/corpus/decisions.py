"""Make a corpus of cases that decide something, in a child process."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.corpus.material import Material, make_corpus
from edgeshrink.core.events import Listener, silent
from edgeshrink.errors import UsageError

JOB: Final = "edgeshrink.compress.corpus.decisions_job:job"
HEAVIEST: Final = 254
"""Of a token that decides: a weight is one byte, and 255 marks something else (`corpus.REJECTED`)."""


def build_decisions(
    material: Material, folder: Path, *, length: int, decision_weight: int, listener: Listener = silent
) -> Corpus:
    """The cases (`cases.case_of`) of the JSONL files of `material`, one a row, with `decision_weight` at the token that
    decides; whatever else it holds is packed into rows of its own, and counts whole.

    Rows are as long as the longest case, `length` at most (which they are where there is other text, too); cases of
    more tokens are left out and counted. Its share `held_out` of pairs, of 200 cases at least and a fifth at most, is
    kept from training: never one case of a pair alone. The held-out decisions lie beside the rows (`decision_files`).
    The same call gives the same bytes; memory does not grow with the data.

    UsageError for a weight that a row cannot hold. DataError: a record that is no case (with its line), no case at all,
    a model without a chat template, or data that holds `kept_apart` or `kept_items`.
    """
    if not 1 <= decision_weight <= HEAVIEST:
        raise UsageError(f"a token that decides counts 1 to {HEAVIEST} times, found {decision_weight}")
    return make_corpus(
        JOB, material, folder, {"length": length, "decision_weight": decision_weight}, title="data", listener=listener
    )
