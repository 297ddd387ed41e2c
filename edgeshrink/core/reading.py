"""What a number is: measured, not measured and why, or estimated and how. Nothing else may stand in a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Measured:
    """A value that was read off something real. `low`/`high`: 95 % interval or spread, as `how` says; `n`: samples."""

    value: float
    n: int = 1
    low: float | None = None
    high: float | None = None
    how: str = ""
    kind: Literal["measured"] = "measured"


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """No value, and the reason. Never zero, never a guess."""

    reason: str
    kind: Literal["unmeasured"] = "unmeasured"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value that was predicted, and the method that did it."""

    value: float
    method: str
    kind: Literal["estimate"] = "estimate"


Reading = Measured | Unmeasured
Prediction = Estimate | Unmeasured
