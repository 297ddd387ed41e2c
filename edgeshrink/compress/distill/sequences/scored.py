"""Answers that are right, where a prompt says what is: exact, contains, regex, json-schema, choice, or one's own code.

Rejection by the outcome, as in STaR (Zelikman et al. 2022, arXiv:2203.14465) and RFT (Yuan et al. 2023,
arXiv:2308.01825).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from edgeshrink.compress.distill.sequences.interface import Sample


@dataclass(frozen=True, slots=True)
class Scored:
    """`right` looks at samples that have a scorer: the room that knows the scorers gives it."""

    right: Callable[[Sample], bool] = field(repr=False)
    name: ClassVar[str] = "scorer"
    told: ClassVar[str] = "wrong"

    def keeps(self, sample: Sample) -> bool:
        return not sample.scorer or self.right(sample)
