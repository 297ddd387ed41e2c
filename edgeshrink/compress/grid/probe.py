"""What a trained student says on a few held-out tokens, to compare its finished file with. Imports torch: for jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from edgeshrink.compress.corpus.corpus import Corpus, Part
from edgeshrink.compress.distill.models import head_weight, hidden_states
from edgeshrink.errors import DataError

MOST_LOGITS: Final = 1 << 22
LEAST_TOKENS: Final = 16
MOST_TOKENS: Final = 512


def probe_tokens(corpus: Path, vocabulary: int, context: int) -> NDArray[np.int32]:
    """The first held-out tokens of `corpus`, in one piece: as many as MOST_LOGITS, MOST_TOKENS and `context` allow, but
    at least LEAST_TOKENS. From the text that is trained on where none was held out."""
    opened = Corpus.open(corpus)
    wanted = min(max(LEAST_TOKENS, MOST_LOGITS // vocabulary), MOST_TOKENS, context)
    part: Part = "held_out" if opened.held_out_rows else "train"
    there = opened.held_out_rows or opened.rows
    rows = np.arange(min(there, -(-wanted // opened.length)))
    tokens, _ = opened.batch(rows, part)
    if not tokens.size:
        raise DataError(f"{corpus} has no rows to compare the finished file on")
    return tokens.reshape(-1)[:wanted].astype(np.int32)


def probe_logits(student: Any, tokens: NDArray[np.int32]) -> NDArray[np.float32]:
    """(n, vocabulary) of the student as it stands, in float32."""
    head = head_weight(student)
    student.eval()
    with torch.no_grad(), torch.autocast(head.device.type, enabled=False):
        states = hidden_states(student, torch.from_numpy(tokens).long().to(head.device)[None])[0]
        logits: NDArray[np.float32] = (states @ head_weight(student).t()).float().cpu().numpy()
    return logits
