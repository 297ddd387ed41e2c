"""Score the parts of a model on calibration text. The parent's side: imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgeshrink.compress.prune.interface import STRUCTURED, method
from edgeshrink.compress.prune.scores import Scores, read_scores
from edgeshrink.core.events import Listener, silent

JOB: Final = "edgeshrink.compress.prune.score_job:job"
DEFAULT_TOKENS: Final = 32768
DEPTH_TOKENS: Final = 8192
DEFAULT_LENGTH: Final = 256
TEXT_FILE: Final = "text.txt"


def score(
    model: Path,
    text: str,
    folder: Path,
    *,
    methods: Sequence[str] = STRUCTURED,
    tokens: int = DEFAULT_TOKENS,
    depth_tokens: int = DEPTH_TOKENS,
    length: int = DEFAULT_LENGTH,
    removals: int | None = None,
    threads: int,
    seed: int = 0,
    listener: Listener = silent,
) -> Scores:
    """The scores that `methods` need of the Hugging Face folder `model`, from a child process; they stay in `folder`.

    One pass over about `tokens` of `text` in rows of `length`, drawn by `seed`; measured-kl takes passes of its own
    over `depth_tokens` of them, one a layer and removal, for `removals` layers (None: all but one), and goes on where a
    killed run left it in `folder`. UsageError for an unknown method, DataError where the text is too short or the model
    is not whole, RuntimeFailed where the child dies.
    """
    for name in methods:
        method(name)
    parameters: dict[str, object] = {
        "methods": list(methods),
        "tokens": tokens,
        "depth_tokens": depth_tokens,
        "length": length,
        "removals": removals,
        "threads": threads,
        "seed": seed,
    }
    score_in_child(JOB, model, text, folder, parameters, title="scoring", listener=listener)
    return read_scores(folder)


def score_in_child(
    job: str, model: Path, text: str, folder: Path, parameters: dict[str, object], *, title: str, listener: Listener
) -> None:
    """Run a scoring `job` on `text`; what it finds stays in `folder`. RuntimeFailed where the child dies."""
    from edgeshrink.runtimes.child import run_job
    from edgeshrink.runtimes.progress import forward

    folder.mkdir(parents=True, exist_ok=True)
    text_file = folder / TEXT_FILE
    text_file.write_text(text, encoding="utf-8", newline="")
    where: dict[str, object] = {
        "model": str(model),
        "folder": str(folder),
        "text": str(text_file),
        "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    run_job(job, where | parameters, on_event=forward(listener, title))
    text_file.unlink()
