"""Answers of a useful length, in words that white space divides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgeshrink.compress.distill.sequences.interface import Sample


@dataclass(frozen=True, slots=True)
class Length:
    """`most` None: as long as the teacher's limit lets them be."""

    fewest: int = 1
    most: int | None = None
    name: ClassVar[str] = "length"
    told: ClassVar[str] = "too short or too long"

    def keeps(self, sample: Sample) -> bool:
        words = len(sample.answer.split())
        return words >= self.fewest and (self.most is None or words <= self.most)
