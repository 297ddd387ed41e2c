"""The most probable of several options is the expected one: nothing is generated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from edgeshrink.evaluate.probes import Chosen
from edgeshrink.evaluate.scorers.words import check_texts, spoken, texts_of

NAME = "choice"
Per = Literal["option", "character", "token"]


def check(expected: Any, options: Mapping[str, Any]) -> None:
    check_texts(expected)


def max_tokens(expected: Any) -> int:
    return 0


def score(said: str, expected: Any, options: Mapping[str, Any]) -> float:
    return float(any(spoken(said, ignore_case=False) == spoken(text, ignore_case=False) for text in texts_of(expected)))


def preferred(chosen: Chosen, options: Sequence[str], per: Per = "option") -> int:
    """Index of the option with the highest log-probability, as `weighed` has it. The first of equals."""
    return weighed(chosen, options, per).best


def weighed(chosen: Chosen, options: Sequence[str], per: Per = "option") -> Chosen:
    """Its log-probabilities as a whole, or divided by each option's length, as options of different lengths are
    compared in lm-evaluation-harness (`acc_norm`: per character)."""
    lengths: Sequence[int]
    match per:
        case "option":
            lengths = [1] * len(options)
        case "character":
            lengths = [len(option) for option in options]
        case "token":
            lengths = chosen.tokens
    means = (logprob / max(length, 1) for logprob, length in zip(chosen.logprobs, lengths, strict=True))
    return Chosen(tuple(means), chosen.tokens)
