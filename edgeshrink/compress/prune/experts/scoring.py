"""Score the experts of a mixture on calibration text. The parent's side: imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edgeshrink.compress.prune.experts.scores import ExpertScores, read_expert_scores
from edgeshrink.compress.prune.scoring import DEFAULT_LENGTH, DEFAULT_TOKENS, score_in_child
from edgeshrink.core.events import Listener, silent

JOB: Final = "edgeshrink.compress.prune.experts.score_job:job"


def score_experts(
    model: Path,
    text: str,
    folder: Path,
    *,
    tokens: int = DEFAULT_TOKENS,
    length: int = DEFAULT_LENGTH,
    threads: int,
    seed: int = 0,
    listener: Listener = silent,
) -> ExpertScores:
    """All scores of the Hugging Face folder `model`, from a child process; they stay in `folder`.

    One pass forwards and backwards over about `tokens` of `text` in rows of `length`, drawn by `seed`. UsageError where
    the model has no experts, DataError where the text is too short, RuntimeFailed where the child dies.
    """
    parameters: dict[str, object] = {"tokens": tokens, "length": length, "threads": threads, "seed": seed}
    score_in_child(JOB, model, text, folder, parameters, title="scoring experts", listener=listener)
    return read_expert_scores(folder)
