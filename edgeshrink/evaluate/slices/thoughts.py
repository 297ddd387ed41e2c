"""Thoughts in front of an answer, as reasoning models write them: `<think> ... </think>`.

What such a model is asked here is short, and a template that lets one choose asks without thoughts
(`evaluate.rendering`); some models think all the same.
"""

from __future__ import annotations

import re

_OPEN = re.compile(r"\s*<think(?:ing)?>")
_CLOSE = re.compile(r"</think(?:ing)?>")


def without_thoughts(text: str) -> str:
    """What follows the thoughts that an answer begins with; nothing where they never end.

    The mark that opens them may be missing: some templates end with it.
    """
    if closed := _CLOSE.search(text):
        return text[closed.end() :].lstrip()
    return "" if _OPEN.match(text) else text
