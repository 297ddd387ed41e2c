"""Metaspace, the newer way of putting a space before a text, and how near llama.cpp's SentencePiece comes to it.

Metaspace puts a space where a text begins (or, "always", where a stretch between special tokens begins), unless one
is there. llama.cpp does as SentencePiece: before every stretch, whatever is there. No key of a GGUF changes that, so
the file is compared with the source tokenizer with this one rule exchanged, and the difference is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

METASPACE_NOTE = (
    "llama.cpp puts a space before every stretch of text; the source does so only where a text begins, "
    "or where no space is there already: after a special token, and before leading spaces, ids differ by that space"
)


def metaspace_prefixes(tokenizer: Mapping[str, Any]) -> bool:
    """Whether a tokenizer.json puts a space before a text by a Metaspace pre-tokenizer."""
    node = tokenizer.get("pre_tokenizer")
    if not isinstance(node, Mapping) or node.get("type") != "Metaspace":
        return False
    scheme = node.get("prepend_scheme")
    return bool(node.get("add_prefix_space", True)) if scheme is None else scheme != "never"


def as_sentencepiece(tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    """The same tokenizer.json with SentencePiece's rule: a space before every stretch of text."""
    node = tokenizer["pre_tokenizer"]
    space = node.get("replacement", "▁")
    prefixed = [
        {"type": "Prepend", "prepend": space},
        {"type": "Replace", "pattern": {"String": " "}, "content": space},
    ]
    own = [tokenizer["normalizer"]] if tokenizer.get("normalizer") else []
    kept = {"type": "Metaspace", "replacement": space, "prepend_scheme": "never", "split": True}
    return {
        **tokenizer,
        "normalizer": {"type": "Sequence", "normalizers": [*own, *prefixed]},
        "pre_tokenizer": kept if node.get("split", True) else None,
    }
