"""The table of families: name -> module. One that is not listed here does not exist."""

from __future__ import annotations

import importlib
from typing import cast

from edgeshrink.errors import UsageError
from edgeshrink.evaluate.slices.interface import AskingFamily, ReadingFamily

ASKING: dict[str, str] = {
    "arithmetic": "edgeshrink.evaluate.slices.arithmetic",
    "recall": "edgeshrink.evaluate.slices.recall",
    "grounding": "edgeshrink.evaluate.slices.grounding",
    "constraint": "edgeshrink.evaluate.slices.constraint",
    "tools": "edgeshrink.evaluate.slices.tools",
    "bfcl": "edgeshrink.evaluate.slices.bfcl",
    "refusal": "edgeshrink.evaluate.slices.refusal",
    "format": "edgeshrink.evaluate.slices.format",
    "prompts": "edgeshrink.evaluate.slices.prompts",
    "writing": "edgeshrink.evaluate.slices.writing",
    "own": "edgeshrink.evaluate.slices.own",
}
READING: dict[str, str] = {
    "text": "edgeshrink.evaluate.slices.text",
    "drift": "edgeshrink.evaluate.slices.drift",
    "next-token": "edgeshrink.evaluate.slices.next_token",
}


def asking(name: str) -> AskingFamily:
    """UsageError where there is no such family."""
    if name not in ASKING:
        raise UsageError(f"there is no family of slices {name!r}", hint=f"one of {', '.join((*ASKING, *READING))}")
    return cast(AskingFamily, importlib.import_module(ASKING[name]))


def reading(name: str) -> ReadingFamily:
    return cast(ReadingFamily, importlib.import_module(READING[name]))
