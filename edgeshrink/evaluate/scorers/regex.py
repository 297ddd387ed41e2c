"""The expected pattern is found in the answer (Python's `re`). One that does not end in time has not found it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from edgeshrink.evaluate.scorers.bounded import shared

NAME = "regex"
_MAX_TOKENS = 128
_LONGEST = 2000


def check(expected: Any, options: Mapping[str, Any]) -> None:
    if not isinstance(expected, str) or not 0 < len(expected) <= _LONGEST:
        raise ValueError(f"expected a pattern of up to {_LONGEST} characters, got {expected!r:.80}")
    try:
        re.compile(expected)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{expected!r:.80} is no regular expression: {error}") from error


def max_tokens(expected: Any) -> int:
    return _MAX_TOKENS


def score(said: str, expected: Any, options: Mapping[str, Any]) -> float:
    ignore = bool(options.get("ignore_case", False))
    returned = shared.call(f"{__name__}:found", expected, said, ignore, what=f"the pattern {expected!r:.80}")
    return float(returned is not None and bool(returned.value))


def found(pattern: str, text: str, ignore_case: bool) -> bool:
    """The worker's side."""
    return re.search(pattern, text, re.IGNORECASE if ignore_case else 0) is not None
