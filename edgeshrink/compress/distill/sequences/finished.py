"""Answers that are whole: ended by the teacher itself, not empty, and nothing in them that text cannot say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgeshrink.compress.distill.sequences.interface import Sample


@dataclass(frozen=True, slots=True)
class Finished:
    """A student that learns from answers which a limit cut off never learns to end."""

    name: ClassVar[str] = "finished"
    told: ClassVar[str] = "cut off, empty or with control tokens inside"

    def keeps(self, sample: Sample) -> bool:
        return sample.finished and not sample.control and bool(sample.answer.strip())
