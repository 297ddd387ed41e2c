"""What several scorers expect: one text or several, each of which is right."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

_CHARACTERS_PER_TOKEN = 2
_LEAST_TOKENS = 16


def check_texts(expected: Any) -> None:
    """ValueError where `expected` is neither a text nor a list of texts, or one is empty."""
    texts = texts_of(expected)
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError(f"expected a text or a list of texts, got {expected!r:.80}")


def texts_of(expected: Any) -> Sequence[Any]:
    return expected if isinstance(expected, (list, tuple)) else (expected,)


def spoken(text: str, *, ignore_case: bool) -> str:
    """`text` in one spelling of its characters (NFC), white space as single spaces; in lower case where asked."""
    told = " ".join(unicodedata.normalize("NFC", text).split())
    return told.casefold() if ignore_case else told


def tokens_for(expected: Any) -> int:
    """Enough for the longest of the texts, and to see that an answer goes on where it should have ended."""
    return _LEAST_TOKENS + max(len(str(text)) for text in texts_of(expected)) // _CHARACTERS_PER_TOKEN
