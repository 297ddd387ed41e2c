"""The verdict: one line per limit of the budget, and one word for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeshrink.core.reading import Prediction, Reading

Outcome = Literal["PASS", "FAIL", "UNKNOWN"]


@dataclass(frozen=True, slots=True)
class VerdictLine:
    """One limit: `comparison` is "<=" or ">="; `reading` decides, `prediction` stands beside it and never does."""

    name: str
    unit: str
    comparison: Literal["<=", ">="]
    limit: float
    reading: Reading
    prediction: Prediction | None
    outcome: Outcome
    why: str
    slice: str = ""
    """Of a gate: the name of the slice it judges, and of its metric; empty for all other lines."""
    metric: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """FAIL if a line failed, else UNKNOWN if a line is unknown, else PASS."""

    outcome: Outcome
    lines: tuple[VerdictLine, ...]

    def exit_code(self, *, strict: bool = False) -> int:
        """0: all pass or unknown; 1: a line failed, or is unknown under `--strict`."""
        return 1 if self.outcome == "FAIL" or (strict and self.outcome == "UNKNOWN") else 0
