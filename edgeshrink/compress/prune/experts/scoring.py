"""Score the experts of a mixture on calibration text. The parent's side: imports no torch."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from edgeshrink.compress.prune.experts.scores import ExpertScores, read_expert_scores
from edgeshrink.compress.prune.scoring import DEFAULT_LENGTH, DEFAULT_TOKENS, TEXT_FILE
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
    from edgeshrink.runtimes.child import run_job
    from edgeshrink.runtimes.progress import forward

    folder.mkdir(parents=True, exist_ok=True)
    text_file = folder / TEXT_FILE
    text_file.write_text(text, encoding="utf-8", newline="")
    parameters: dict[str, object] = {
        "model": str(model),
        "folder": str(folder),
        "text": str(text_file),
        "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "tokens": tokens,
        "length": length,
        "threads": threads,
        "seed": seed,
    }
    run_job(JOB, parameters, on_event=forward(listener, "scoring experts"))
    text_file.unlink()
    return read_expert_scores(folder)
