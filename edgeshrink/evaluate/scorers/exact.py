"""The answer is the expected text, or one of several; white space around and between words does not count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeshrink.evaluate.scorers.words import check_texts, spoken, texts_of, tokens_for

NAME = "exact"


def check(expected: Any, options: Mapping[str, Any]) -> None:
    check_texts(expected)


def max_tokens(expected: Any) -> int:
    return tokens_for(expected)


def score(said: str, expected: Any, options: Mapping[str, Any]) -> float:
    ignore = bool(options.get("ignore_case", False))
    told = spoken(said, ignore_case=ignore)
    return float(any(told == spoken(text, ignore_case=ignore) for text in texts_of(expected)))
