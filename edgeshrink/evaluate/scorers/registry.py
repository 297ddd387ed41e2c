"""The table of scorers: name -> module. `MODULE:FUNCTION` is code of the person's own."""

from __future__ import annotations

import importlib
from typing import cast

from edgeshrink.evaluate.scorers.interface import Scorer

CHOICE = "choice"
FUNCTION = "module:function"
SCORERS: dict[str, str] = {
    "exact": "edgeshrink.evaluate.scorers.exact",
    "contains": "edgeshrink.evaluate.scorers.contains",
    "regex": "edgeshrink.evaluate.scorers.regex",
    "json-schema": "edgeshrink.evaluate.scorers.json_schema",
    CHOICE: "edgeshrink.evaluate.scorers.choice",
    FUNCTION: "edgeshrink.evaluate.scorers.function",
}


def kind_of(name: str) -> str | None:
    """The entry of SCORERS that `name` means; None where there is none."""
    if name != FUNCTION and ":" in name:
        module, _, function = name.partition(":")
        return FUNCTION if function.isidentifier() and all(map(str.isidentifier, module.split("."))) else None
    return name if name in SCORERS and name != FUNCTION else None


def scorer(kind: str) -> Scorer:
    return cast(Scorer, importlib.import_module(SCORERS[kind]))
