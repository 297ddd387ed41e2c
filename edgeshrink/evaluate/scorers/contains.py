"""The expected text, or one of several, stands in the answer as whole words; upper and lower case are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeshrink.evaluate.scorers.words import check_texts, spoken, texts_of

NAME = "contains"
_MAX_TOKENS = 128


def check(expected: Any, options: Mapping[str, Any]) -> None:
    check_texts(expected)


def max_tokens(expected: Any) -> int:
    return _MAX_TOKENS


def score(said: str, expected: Any, options: Mapping[str, Any]) -> float:
    ignore = bool(options.get("ignore_case", True))
    told = spoken(said, ignore_case=ignore)
    return float(any(_stands_in(spoken(text, ignore_case=ignore), told) for text in texts_of(expected)))


def _stands_in(text: str, told: str) -> bool:
    """ "1" does not stand in "21", nor "art" in "party"."""
    start = told.find(text)
    while start >= 0:
        end = start + len(text)
        begins = start == 0 or not (told[start - 1].isalnum() and text[0].isalnum())
        ends = end == len(told) or not (told[end].isalnum() and text[-1].isalnum())
        if begins and ends:
            return True
        start = told.find(text, start + 1)
    return False
