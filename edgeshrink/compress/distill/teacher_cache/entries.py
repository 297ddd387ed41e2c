"""Stored records as a distribution: what each entry of a token stands for.

The likeliest tokens stand for themselves, and each of the M draws for 1/M of the probability t that they leave: the
expectation of that over the draws is the teacher's distribution, token by token, and so the expected gradient of a loss
that is linear in it (forward KL) is the dense one. Anshumann et al., "Sparse Logit Sampling: Accelerating Knowledge
Distillation in LLMs" (RS-KD), 2025 (arXiv:2503.16870); the exact part is there because it takes most of the noise away.

At a temperature T other than 1 a probability p becomes p^(1/T), divided by the sum over all tokens. The exact entries
do so exactly. A draw, whose own probability is stored too, stands for (t / M) p^(1/T - 1): importance weights, unbiased
for what the tail sums to; dividing by the estimated sum makes the whole consistent as M grows, not unbiased, and the
noise of the tail grows with T, since the draws were made where T = 1 is likely.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.compress.distill.teacher_cache.records import decoded

Floats = NDArray[np.float32]


def entries(records: Mapping[str, NDArray[Any]], temperature: float = 1.0) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Ids, log-probabilities at `temperature` and masses that add up to 1, each (N, top + draws), of N positions'
    records: the fields of `row_type`, (N, entries) each."""
    ids = np.concatenate([records["top_ids"], records["draw_ids"]], axis=1).astype(np.int64)
    top, draws = records["top_logs"].astype(np.float32), decoded(records["draw_logs"])
    logs = np.concatenate([top, draws], axis=1) * np.float32(1 / temperature)
    share = np.exp(records["tail_log"].astype(np.float32)) / np.float32(max(1, draws.shape[1]))
    tail = share[:, None] * np.exp(draws * np.float32(1 / temperature - 1))
    masses = np.concatenate([np.exp(logs[:, : top.shape[1]]), tail], axis=1)
    whole = masses.sum(axis=1, keepdims=True)  # 1 but for rounding where the temperature is 1
    return ids, logs if temperature == 1 else logs - np.log(whole), masses / whole
