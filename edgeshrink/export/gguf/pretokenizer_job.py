"""Runs in the child process: llama.cpp reads texts with a vocabulary-only GGUF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def tokenize(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """`file`: the GGUF; `cases`: pairs of text and parse_special. Returns `ids`, one list a case, no BOS or EOS."""
    from edgeshrink.runtimes.llama_cpp import load

    with load(Path(parameters["file"]), context=0, threads=1, vocab_only=True) as session:
        return {
            "ids": [
                session.tokenize(text, add_special=False, parse_special=parse_special)
                for text, parse_special in parameters["cases"]
            ]
        }
