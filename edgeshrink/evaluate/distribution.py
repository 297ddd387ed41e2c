"""The finished file's next-token distributions against the reference's, as readings with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgeshrink.catalog.texts import Text
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.importance import Floats
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.evaluate.distances import Distances
from edgeshrink.evaluate.reference import OPENING, Reference
from edgeshrink.evaluate.scoring import DISTANCES, STEPS
from edgeshrink.evaluate.statistics import FEWEST_FOR_P99, Blocks, share
from edgeshrink.evaluate.subject import Subject
from edgeshrink.evaluate.texts import LabelledText
from edgeshrink.evaluate.windows import Windows
from edgeshrink.planning.estimate import EXACT_TOKENS
from edgeshrink.runtimes.progress import forward

_LARGEST = f"largest over all positions and the {EXACT_TOKENS} tokens that the reference holds most probable there"


@dataclass(frozen=True, slots=True)
class Score:
    """What a finished file said over the windows; `opening` are its logits at the first window's first positions.

    `steps` (2, positions, vocabulary): logits of some positions, by one prefill each and decoded one by one. `backend`
    is what computed, in the runtime's words.
    """

    distances: Distances = field(repr=False)
    opening: Floats = field(repr=False)
    steps: Floats = field(repr=False)
    backend: str
    windows: Windows = field(repr=False)
    vocab_size: int


@dataclass(frozen=True, slots=True)
class Readings:
    """The distances of core.quality.Quality."""

    mean_kl: Reading
    median_kl: Reading
    p99_kl: Reading
    same_top_share: Reading
    perplexity: Reading
    reference_perplexity: Reading
    perplexity_ratio: Reading
    max_logit_difference: Reading


def score(
    subject: Subject,
    text: Text,
    folder: Path,
    *,
    reference: Reference | None,
    weights: int,
    context: int,
    threads: int,
    listener: Listener = silent,
) -> Score:
    """Run `subject` in a child process over the reference's windows, or over its own where there is no reference.

    In the most precise arithmetic that its runtime has. `weights`: how many its matrices hold, which decides how many
    windows of its own are affordable. Leaves `distances.npz`, `opening.npy` and `steps.npy` in `folder`. RuntimeFailed
    where the runtime refuses the file or dies; DataError where its vocabulary is not the reference's.
    """
    from edgeshrink.runtimes.child import run_job

    parameters = {
        "subject": subject.as_json(),
        "reference": None if reference is None else str(reference.folder),
        "texts": [LabelledText("general", "General text", text).as_json()],
        "tokens_each": None,
        "folder": str(folder),
        "weights": weights,
        "context": context,
        "threads": threads,
    }
    told = forward(listener, "compare", unit="tokens")
    result = run_job("edgeshrink.evaluate.scoring:candidate_job", parameters, on_event=told)
    windows, vocab_size = result["windows"], result["vocab_size"]
    assert isinstance(windows, list) and isinstance(vocab_size, int)
    return Score(
        Distances.load(folder / DISTANCES),
        np.load(folder / OPENING, allow_pickle=False),
        np.load(folder / STEPS, allow_pickle=False),
        str(result["backend"]),
        Windows(tuple(tuple(window) for window in windows)),
        vocab_size,
    )


def readings(score: Score, unmeasured: Unmeasured | None = None) -> Readings:
    """The figures of a score; `unmeasured` says why there is no reference, and stands where one would be needed."""
    distances, windows = score.distances, score.windows
    blocks = Blocks.of(len(windows.ids), windows.scored_each)
    perplexity = blocks.mean(distances.nll, _exp)
    if not distances.has_reference:
        absent = unmeasured or Unmeasured("no reference was run")
        return Readings(absent, absent, absent, absent, perplexity, absent, absent, absent)
    n = len(distances.kl)
    kl = np.maximum(distances.kl, 0.0)  # rounding can leave a divergence of nothing at -1e-17
    return Readings(
        mean_kl=blocks.mean(kl),
        median_kl=blocks.quantile(kl, 0.5),
        p99_kl=blocks.quantile(kl, 0.99)
        if n >= FEWEST_FOR_P99
        else Unmeasured(f"{n} positions, a 99th percentile needs at least {FEWEST_FOR_P99}"),
        same_top_share=share(int(distances.same_top.sum()), n),
        perplexity=perplexity,
        reference_perplexity=blocks.mean(distances.reference_nll, _exp),
        perplexity_ratio=blocks.mean(distances.nll - distances.reference_nll, _exp),
        max_logit_difference=_largest(distances),
    )


def _largest(distances: Distances) -> Reading:
    largest = float(distances.difference.max())
    if not math.isfinite(largest):
        return Unmeasured("some logits are not finite")
    return Measured(largest, n=len(distances.difference), how=_LARGEST)


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
