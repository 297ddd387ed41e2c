"""The demo model's own kind of text as files that anybody's trainer reads: JSONL of texts and chats."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.demo.books import Library, read_books
from tools.demo.chat import ASSISTANT, BEGIN, END, SYSTEM, USER
from tools.demo.mixture import SHARES, draw
from tools.demo.samples import Sample

_TURN = re.compile(f"({re.escape(SYSTEM)}|{re.escape(USER)}|{re.escape(ASSISTANT)})")
_ROLES = {SYSTEM: "system", USER: "user", ASSISTANT: "assistant"}
SAMPLE_TOKENS = 256
CHARACTERS_PER_TOKEN = 3.0
"""Of the demo's tokenizer on this mixture, about: shares of tokens are kept by characters."""


def write_learning_text(books: Path, file: Path, *, characters: int, seed: int) -> Path:
    """About so many characters in the shares that the demo model was trained on, from the same parts of the books and
    the same generators with another seed: nothing that any test or evaluation asks."""
    rng = random.Random(f"learning/{seed}")
    library = Library.of(read_books(books), "train")
    kinds, written = tuple(SHARES), dict.fromkeys(SHARES, 1.0)
    with file.open("w", encoding="utf-8") as out:
        while sum(written.values()) < characters:
            kind = min(kinds, key=lambda one: written[one] / SHARES[one])
            text = Sample.parse(draw(kind, rng, library, SAMPLE_TOKENS)).text
            written[kind] += len(text)
            out.write(json.dumps(document(text), ensure_ascii=False) + "\n")
    return file


def document(text: str) -> dict[str, Any]:
    """A sample without its control tokens: {"messages"} where it is a chat, else {"text"}."""
    text = text.replace(BEGIN, "")
    if not _TURN.search(text):
        return {"text": text}
    return {"messages": list(_messages(text))}


def _messages(text: str) -> Iterator[dict[str, str]]:
    pieces = _TURN.split(text)
    for mark, content in zip(pieces[1::2], pieces[2::2], strict=True):
        yield {"role": _ROLES[mark], "content": content.removesuffix(END)}
