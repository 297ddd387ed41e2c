"""Pieces of Markdown: words, code and tables in which nothing from outside starts markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from edgeshrink.core.reading import Reading
from edgeshrink.report.format import plain, reading_text


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def reading_words(reading: Reading, unit: str) -> str:
    return words(reading_text(reading, unit))


def words(text: str) -> str:
    """`text` as words of Markdown: nothing in it starts markup, HTML or a table cell."""
    return re.sub(r"[\\`*\[<>|#~&]|(?<!\w)_|_(?!\w)", r"\\\g<0>", plain(text))


def code(text: str) -> str:
    """`text` as code, safe in a table: no backtick and no bar survives."""
    return f"`{plain(text).replace('`', chr(39)).replace('|', '¦')}`"
