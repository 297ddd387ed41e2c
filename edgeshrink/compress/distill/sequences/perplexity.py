"""Answers that a model finds probable enough: perplexity a token behind their prompt, at most a limit.

Under the teacher it drops what a draw at a high temperature went astray with; under the student what is too far from
what it can say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from edgeshrink.compress.distill.sequences.interface import Sample


@dataclass(frozen=True, slots=True)
class Perplexity:
    """What could not be scored (it does not fit the model's context) is dropped, too."""

    most: float
    name: ClassVar[str] = "perplexity"
    told: ClassVar[str] = "too improbable, or too long to be scored"

    def keeps(self, sample: Sample) -> bool:
        if sample.logprob is None or not sample.tokens:
            return False
        return -sample.logprob / sample.tokens <= math.log(self.most)
