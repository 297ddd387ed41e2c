"""What `compare A B` found: figure by figure, how much worse B is than A, and whether noise could explain it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeshrink.core.reading import Reading
from edgeshrink.core.verdict import VerdictLine

COMPARED_SCHEMA = "edgeshrink-compared-1"
Word = Literal["better", "worse", "same", "unclear"]
Group = Literal["quality", "size", "speed", "memory", "energy"]


@dataclass(frozen=True, slots=True)
class ComparedSide:
    """One of the two: an artifact, or what a report says of one. `from_report`: its figures are a report's."""

    name: str
    format: str
    scheme: str
    sha256: str
    nbytes: int
    from_report: bool


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One figure of both. `change` says how much worse B is (below 0: better), in `change_unit`.

    `bounds` is the interval that decides `word`: all above 0 is worse, all below it better; else it is the same where
    B cannot be worse by more than is `allowed`. `regression`: B is worse by more than that, beyond noise. `doubt`: that
    it is can neither be said nor be ruled out.
    """

    group: Group
    name: str
    metric: str
    unit: str
    a: Reading
    b: Reading
    change: Reading
    change_unit: str
    bounds: tuple[float, float] | None
    allowed: float | None
    word: Word
    regression: bool
    doubt: bool
    why: str


@dataclass(frozen=True, slots=True)
class Compared:
    """`gates`: lines that speak of more than one row (the worst slice, exchange rates) or of other limits."""

    schema: str
    version: str
    a: ComparedSide
    b: ComparedSide
    quality: str
    """How quality was compared."""
    device: str
    """How speed and memory were."""
    rows: tuple[ComparedRow, ...]
    gates: tuple[VerdictLine, ...]
    notes: tuple[str, ...]

    @property
    def regressed(self) -> bool:
        return any(row.regression for row in self.rows) or any(line.outcome == "FAIL" for line in self.gates)

    def exit_code(self, *, strict: bool = False) -> int:
        """0: no regression; 1: there is one, or, `strict`, something that could be one."""
        doubt = any(row.doubt for row in self.rows) or any(line.outcome == "UNKNOWN" for line in self.gates)
        return 1 if self.regressed or (strict and doubt) else 0
