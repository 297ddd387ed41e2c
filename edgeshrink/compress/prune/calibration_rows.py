"""Calibration text as rows of ids, as the model's own tokenizer cuts it. Imports no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.source_tokenizer import open_source_tokenizer
from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.core.model import ModelFacts
from edgeshrink.errors import DataError

FEWEST_ROWS = 2


def calibration_rows(facts: ModelFacts, text: str, *, tokens: int, length: int, seed: int) -> NDArray[np.int64]:
    """About `tokens` ids of `text` as rows of `length` (at most the model's context), each from BOS where the model
    adds one; of a longer text rows from all over it, drawn by `seed`. Control tokens spelled out count as such.

    DataError where the text is shorter than two rows.
    """
    vocabulary = read_vocabulary(facts)
    tokenizer = open_source_tokenizer(facts, vocabulary)
    ids = np.asarray(tokenizer.encode([text], parse_special=True)[0], dtype=np.int64)
    length = min(length, facts.context_length)
    bos = vocabulary.bos_id if vocabulary.add_bos else None
    body = length if bos is None else length - 1
    there = len(ids) // body
    if there < FEWEST_ROWS:
        raise DataError(
            f"the calibration text has {len(ids)} tokens, fewer than {FEWEST_ROWS} rows of {body}",
            hint="give a longer --calibration FILE",
        )
    rows = ids[: there * body].reshape(there, body)
    wanted = max(FEWEST_ROWS, tokens // length)
    if there > wanted:
        rows = rows[np.sort(np.random.default_rng(seed).choice(there, wanted, replace=False))]
    return rows if bos is None else np.concatenate([np.full((len(rows), 1), bos, dtype=np.int64), rows], axis=1)
