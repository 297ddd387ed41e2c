"""How sure the candidate was of every answer, and whether it was right: what a fallback threshold is fitted on."""

from __future__ import annotations

from array import array

import numpy as np

from edgeshrink.core.fallback import FallbackFit
from edgeshrink.core.reading import Unmeasured
from edgeshrink.evaluate.fallback import fit_fallback
from edgeshrink.evaluate.probes import TEMPERATURES
from edgeshrink.evaluate.slices.interface import Score


class Confidences:
    """Not frozen: it collects. Of each answer one bit and a float32 a temperature are kept."""

    def __init__(self) -> None:
        self._right = array("b")
        self._confidence = array("f")

    def add(self, score: Score) -> None:
        """The candidate's answer of `score`, if it wrote one: an app never sees how sure it is among options."""
        if score.answered is None or not score.answered[1].written:
            return
        candidate = score.answered[1]
        self._right.append(candidate.right)
        self._confidence.extend(candidate.confidence)

    def fallback(self, seed: int) -> FallbackFit | Unmeasured:
        """The threshold that these answers bear out, or why there is none."""
        right = np.frombuffer(self._right, dtype=np.int8).astype(bool)
        confidence = np.frombuffer(self._confidence, dtype=np.float32).reshape(-1, len(TEMPERATURES))
        return fit_fallback(right, confidence, seed=seed)
