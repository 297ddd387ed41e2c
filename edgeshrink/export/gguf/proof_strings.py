"""The texts that a tokenizer is proven on: hard ones from a file, and ones made of the vocabulary itself."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from edgeshrink.catalog.source_tokenizer import AddedToken
from edgeshrink.catalog.vocabulary_rows import NORMAL
from edgeshrink.core.tokenizer import Vocabulary

_SEED = 20261121
_SINGLE = 400
_JOINED = 100
_MOST_SPECIAL = 64


@cache
def hard_strings() -> tuple[str, ...]:
    """Spaces, lines, digits, scripts, emoji, code, long runs, odd characters: `hard_strings.json`, in file order."""
    groups = json.loads(files(__package__).joinpath("hard_strings.json").read_text(encoding="utf-8"))
    return tuple(text for group in groups.values() for text in group)


def vocabulary_strings(vocabulary: Vocabulary) -> tuple[str, ...]:
    """Tokens spread evenly over the vocabulary, alone, and joined at random: whether the merges came over."""
    normal = [number for number, kind in enumerate(vocabulary.token_types) if kind == NORMAL]
    stride = max(1, len(normal) // _SINGLE)
    texts = [token_text(vocabulary, number) for number in normal[::stride]]
    whole = [text for text in texts if text]
    if not whole:
        return ()
    chooser = random.Random(_SEED)
    joined = ["".join(chooser.choices(whole, k=chooser.randint(2, 6))) for _ in range(_JOINED)]
    return (*whole, *joined)


def special_strings(added: Sequence[AddedToken]) -> tuple[list[str], list[str]]:
    """Texts that are one added token each, and texts with one in their middle."""
    chosen = [*added[: _MOST_SPECIAL // 2], *added[_MOST_SPECIAL // 2 :][-_MOST_SPECIAL // 2 :]]
    alone = [token.text for token in chosen]
    beside = [
        text
        for token in chosen
        for text in (f"a{token.text}b", f"{token.text}Hello", f"one {token.text} two", f"x\n{token.text}\n\ny")
    ]
    return alone, beside


def token_text(vocabulary: Vocabulary, number: int) -> str | None:
    """The text that a normal token stands for; None where it is a part of a character."""
    token = vocabulary.tokens[number].decode("utf-8", "replace")
    if vocabulary.kind == "spm":
        return token.replace("▁", " ")
    try:
        return bytes(_byte_of()[letter] for letter in token).decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return None


@cache
def _byte_of() -> dict[str, int]:
    """GPT-2's spelling of bytes: printable ones as themselves, the others from U+0100 on (its `bytes_to_unicode`)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}
