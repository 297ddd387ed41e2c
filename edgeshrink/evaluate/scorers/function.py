"""`MODULE:FUNCTION` of the person's own: called with the answer and what was expected, it says True or False, or a
number from 0 to 1. MODULE is a file beside the suite file, or installed. Only a suite file may name it, never a line
of items: items come from anywhere, and code that is named is code that is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeshrink.errors import DataError
from edgeshrink.evaluate.scorers.bounded import shared

NAME = "module:function"
_MAX_TOKENS = 256


def check(expected: Any, options: Mapping[str, Any]) -> None:
    """Any JSON value is something that a function may look at."""


def max_tokens(expected: Any) -> int:
    return _MAX_TOKENS


def score(said: str, expected: Any, options: Mapping[str, Any]) -> float:
    name = str(options["scorer"])
    returned = shared.call(name, said, expected, what=f"the scorer {name}", folder=Path(options["folder"]))
    if returned is None:
        return 0.0
    value = returned.value
    if not isinstance(value, (bool, int, float)) or not 0 <= value <= 1:
        raise DataError(
            f"the scorer {name} returned {value!r:.80}", hint="return True or False, or a number from 0 to 1"
        )
    return float(value) if options.get("graded") else float(value >= 0.5)
