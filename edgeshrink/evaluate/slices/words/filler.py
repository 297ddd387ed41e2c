"""Book text that stands between what a model is told and what it is asked: never trained on, never calibrated with."""

from __future__ import annotations

from functools import lru_cache
from random import Random

from edgeshrink.catalog.texts import LANGUAGES, language_text

_LONGEST = 4000
"""Characters in one language and from one place; longer passages are made of several."""
_SHORTEST = 60
"""Of a further piece."""


@lru_cache(maxsize=len(LANGUAGES))
def book(language: str) -> str:
    """The whole shipped text in that language."""
    return language_text(language).text


def passage(random: Random, characters: int) -> str:
    """At most so many characters and about as many, in whole words; where not one word fits, nothing."""
    pieces: list[str] = []
    while characters > (_SHORTEST if pieces else 0):
        piece = _piece(random, min(characters, _LONGEST))
        if not piece:
            break
        pieces.append(piece)
        characters -= len(piece) + 1
    return "\n".join(pieces)


def _piece(random: Random, characters: int) -> str:
    """From the beginning of a line to the end of a word."""
    text = book(random.choice(LANGUAGES))
    start = text.find("\n", random.randrange(max(1, len(text) - characters))) + 1
    piece = text[start : start + characters]
    return piece.strip() if start + characters >= len(text) else piece[: piece.rfind(" ") + 1].strip()
