"""How the finished file compares with its source: checks that must hold, and distances with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeshrink.core.reading import Reading


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold on the finished file. `outcome` "skipped" says in `detail` why it could not be run."""

    name: str
    outcome: Literal["ok", "failed", "skipped"]
    detail: str


@dataclass(frozen=True, slots=True)
class LayerError:
    """What quantizing one layer alone does to a network's output: relative squared error, and what was decided."""

    name: str
    operator: str
    error: float
    kept_float: bool


@dataclass(frozen=True, slots=True)
class NetworkQuality:
    """Distances of a network's outputs to the float network's, over `samples` inputs not used for calibration.

    `cosine_mean`, `cosine_min`: over samples, of each one's worst output, flattened; `sqnr_db`: signal to quantization
    noise of the worst output;
    `same_top_share`: share of samples whose largest output is the same one (classifiers); `score` and
    `reference_score`: by the network's own scorer, higher is better.
    """

    reference: str
    data: str
    data_sha256: str
    samples: int
    cosine_mean: Reading
    cosine_min: Reading
    max_difference: Reading
    sqnr_db: Reading
    same_top_share: Reading
    score: Reading
    reference_score: Reading
    layers: tuple[LayerError, ...] = ()
    """Most sensitive first; empty where nothing was quantized, or nothing had to be kept."""
    checks: tuple[Check, ...] = ()

    @property
    def failed_checks(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.outcome == "failed")


@dataclass(frozen=True, slots=True)
class Quality:
    """Distances to the unquantized reference on evaluation text, per token, over `tokens` positions."""

    reference: str
    text: str
    text_sha256: str
    tokens: int
    mean_kl: Reading
    median_kl: Reading
    p99_kl: Reading
    same_top_share: Reading
    perplexity: Reading
    reference_perplexity: Reading
    perplexity_ratio: Reading
    max_logit_difference: Reading
    checks: tuple[Check, ...] = ()

    @property
    def failed_checks(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.outcome == "failed")
