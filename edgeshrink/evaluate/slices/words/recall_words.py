"""Keys, values and sentences of the recall skill, read from `recall_words.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from random import Random

from edgeshrink.evaluate.slices.words.holdout import held_out

_WORDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
NAMES: tuple[str, ...] = tuple(_WORDS["names"])
THINGS: tuple[str, ...] = tuple(_WORDS["things"])
TELL = "{key} has the {value}."
ASK = "What does {key} have?"
Pair = tuple[str, str]
"""Key and value."""


def paired_value(random: Random, key: str, *, testing: bool) -> str:
    """A thing for this key; one pair in ten is kept for testing."""
    while True:
        value = random.choice(THINGS)
        if value != key and held_out("pair", key, value) == testing:
            return value


def told(pairs: Sequence[Pair]) -> str:
    """Behind `Note:` every key has a blank in front, so that it is the same token whether told or asked for."""
    return "Note: " + " ".join(TELL.format(key=key, value=value) for key, value in pairs)
