"""The tokenizer's files beside a `.pte`, in the form that ExecuTorch's tokenizer library reads right.

pytorch_tokenizers 1.5 fails on a Metaspace pre-tokenizer, and its NFC changes text that is NFC already (both seen on
real tokenizers). llama.cpp composes nothing either: what is left out here is left out there too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeshrink.catalog.json_files import read_json
from edgeshrink.catalog.metaspace import METASPACE_NOTE, as_sentencepiece, metaspace_prefixes
from edgeshrink.catalog.tokenizer_vocab_merges import vocab_merges_json
from edgeshrink.core.model import ModelFacts

_TOKENIZER = "tokenizer.json"
NFC_NOTE = (
    "the source composes text to NFC before it tokenizes; ExecuTorch's tokenizer library does that wrongly, so the "
    "file beside model.pte leaves it out: text that is NFC already, as nearly all is, gets the source's ids"
)
SPACES_NOTE = METASPACE_NOTE.replace("llama.cpp", "the tokenizer beside model.pte")


def write_tokenizer(facts: ModelFacts, folder: Path) -> tuple[str, ...]:
    """Copy the files, tokenizer.json adapted; made of vocab.json and merges.txt where it is all there is. Notes."""
    for file in facts.tokenizer_files:
        shutil.copyfile(file, folder / file.name)
    path = folder / _TOKENIZER
    if path.is_file():
        given = read_json(path)
    elif not (folder / "tokenizer.model").is_file() and facts.tokenizer_files:
        given = json.loads(vocab_merges_json(facts.source.path))
    else:
        return ()
    adapted, notes = for_runner(given)
    if adapted != given or not path.is_file():
        path.write_text(json.dumps(adapted, ensure_ascii=False), encoding="utf-8")
    return notes


def for_runner(tokenizer: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A tokenizer.json that the library reads right, and what became different, in sentences."""
    adapted, notes = dict(tokenizer), []
    if _is(adapted.get("normalizer"), "NFC"):
        adapted["normalizer"] = _without_nfc(adapted["normalizer"])
        notes.append(NFC_NOTE)
    if _is(adapted.get("pre_tokenizer"), "Metaspace") and adapted["pre_tokenizer"]["type"] == "Metaspace":
        if metaspace_prefixes(adapted):
            notes.append(SPACES_NOTE)
            adapted = as_sentencepiece(adapted)
        else:
            adapted["normalizer"] = _replacing_spaces(adapted)
        adapted["pre_tokenizer"] = None
    return adapted, tuple(notes)


def _is(node: Any, kind: str) -> bool:
    """Whether a node of a tokenizer.json is, or holds, one of that type."""
    if not isinstance(node, Mapping):
        return False
    return node.get("type") == kind or any(_is(entry, kind) for entry in node.get("normalizers", ()))


def _without_nfc(node: Mapping[str, Any]) -> dict[str, Any] | None:
    if node.get("type") == "NFC":
        return None
    kept = [entry for entry in (_without_nfc(child) for child in node.get("normalizers", ())) if entry is not None]
    if node.get("type") != "Sequence":
        return dict(node)
    return {**node, "normalizers": kept} if kept else None


def _replacing_spaces(tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    space = tokenizer["pre_tokenizer"].get("replacement", "▁")
    own = [tokenizer["normalizer"]] if tokenizer.get("normalizer") else []
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": space}
    return {"type": "Sequence", "normalizers": [*own, replace]}
