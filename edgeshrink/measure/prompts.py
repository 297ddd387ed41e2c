"""Prompt ids to measure with: real text where the file has a tokenizer, since caches and kernels see real ids."""

from __future__ import annotations

import random
from importlib import resources

from edgeshrink.runtimes.interface import Session

_CHARACTERS = 12  # of text for a token: more than tokenizers put into one on average


def prompt_ids(session: Session, count: int) -> tuple[list[int], str]:
    """`count` ids to prefill, and a word on where they came from."""
    text = shipped_text(count)
    if text and session.stop_ids:
        ids = session.tokenize(text, add_special=True, parse_special=False)
        if len(ids) > 1:
            body = ids[1:]
            while len(ids) < count:
                ids += body
            return ids[:count], "tokens of shipped text"
    stops = set(session.stop_ids)
    draw = random.Random(20261121)
    ids = []
    while len(ids) < count:
        token = draw.randrange(session.vocab_size)
        if token not in stops:
            ids.append(token)
    return ids, "random ids"


def shipped_text(tokens: int) -> str:
    """The beginning of the first text that comes with the package, long enough for `tokens`; "" where there is none."""
    folder = resources.files("edgeshrink") / "_texts"
    if not folder.is_dir():
        return ""
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".txt"):
            with entry.open("r", encoding="utf-8") as stream:
                return stream.read(_CHARACTERS * tokens)
    return ""
