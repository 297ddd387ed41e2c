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
