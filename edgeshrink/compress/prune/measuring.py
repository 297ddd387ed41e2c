"""How far cut models are from the whole one before any healing. The parent's side: imports no torch."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

from edgeshrink.compress.prune.cuts import cut_to_json
from edgeshrink.compress.prune.experts.cut import ExpertCut, expert_cut_json
from edgeshrink.compress.prune.scoring import DEFAULT_LENGTH, DEPTH_TOKENS
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.shape import Cut

JOB: Final = "edgeshrink.compress.prune.measure_job:job"
EXPERTS_JOB: Final = "edgeshrink.compress.prune.experts.measure_job:job"
CUTS_FILE, TEXT_FILE = "cuts.json", "text.txt"


def measure(
    model: Path,
    cuts: Sequence[Cut] | Sequence[ExpertCut],
    text: str,
    *,
    tokens: int = DEPTH_TOKENS,
    length: int = DEFAULT_LENGTH,
    threads: int,
    seed: int = 0,
    listener: Listener = silent,
) -> tuple[float, ...]:
    """For each cut of the Hugging Face folder `model` the mean KL of the whole model's predictions against those of the
    cut one, nats a token, over about `tokens` of `text`, in a child process. Each is really cut, as `apply_cut` or
    `apply_expert_cut` would write it.

    PlanError where a cut does not fit the model, DataError where the text is too short, RuntimeFailed.
    """
    from edgeshrink.runtimes.child import run_job
    from edgeshrink.runtimes.progress import forward

    of_experts = any(isinstance(cut, ExpertCut) for cut in cuts)
    with tempfile.TemporaryDirectory(prefix="edgeshrink-prune-") as name:
        folder = Path(name)
        (folder / TEXT_FILE).write_text(text, encoding="utf-8", newline="")
        (folder / CUTS_FILE).write_text(json.dumps([cut_json(cut) for cut in cuts]), encoding="utf-8")
        parameters: dict[str, object] = {
            "model": str(model),
            "folder": str(folder),
            "tokens": tokens,
            "length": length,
            "threads": threads,
            "seed": seed,
        }
        job, words = (EXPERTS_JOB, "measuring cuts of experts") if of_experts else (JOB, "measuring shapes")
        found = run_job(job, parameters, on_event=forward(listener, words))
    return tuple(cast(list[float], found["kl"]))


def cut_json(cut: Cut | ExpertCut) -> Any:
    """JSON values of any cut."""
    return expert_cut_json(cut) if isinstance(cut, ExpertCut) else cut_to_json(cut)
