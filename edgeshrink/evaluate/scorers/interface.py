"""What a scorer is: a module that looks at what was said and what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Scorer(Protocol):
    """`options` are those of the table in the suite file that names the scorer."""

    NAME: str

    def check(self, expected: Any, options: Mapping[str, Any]) -> None:
        """ValueError, in words for a person, where `expected` (a JSON value) is nothing to compare with."""

    def max_tokens(self, expected: Any) -> int:
        """That an answer may have where nobody says."""

    def score(self, said: str, expected: Any, options: Mapping[str, Any]) -> float:
        """1.0 where `said` is right, 0.0 where it is wrong; one that grades may say what lies between."""
