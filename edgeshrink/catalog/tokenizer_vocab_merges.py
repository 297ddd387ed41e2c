"""vocab.json + merges.txt as the tokenizer.json that transformers makes of them: the class decides the splitting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeshrink.catalog.json_files import read_json, read_json_if_there
from edgeshrink.catalog.pretokenizers import PRE_TOKENIZERS
from edgeshrink.errors import DataError, UnsupportedModel

_QWEN2 = next(entry.expressions[0] for entry in PRE_TOKENIZERS if entry.name == "qwen2")
_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}
_SPLIT = {"type": "Split", "pattern": {"Regex": _QWEN2}, "behavior": "Isolated", "invert": False}
# tokenizer_class of transformers -> (normalizer, pre_tokenizer)
_CLASSES: dict[str, tuple[dict[str, Any] | None, dict[str, Any]]] = {
    "Qwen2Tokenizer": (
        {"type": "NFC"},
        {"type": "Sequence", "pretokenizers": [_SPLIT, {**_BYTES, "use_regex": False}]},
    ),
    "GPT2Tokenizer": (None, {**_BYTES, "use_regex": True}),
}


def vocab_merges_json(folder: Path) -> str:
    """The text of an equal tokenizer.json. UnsupportedModel where nothing says how text is split."""
    said = read_json_if_there(folder / "tokenizer_config.json")
    name = str(said.get("tokenizer_class", "")).removesuffix("Fast")
    if name not in _CLASSES:
        raise UnsupportedModel(
            f"{folder} has vocab.json and merges.txt, which do not say how text is split before merging"
            + (f" (tokenizer_class {name} is not known here)" if name else " (no tokenizer_class either)"),
            hint="write tokenizer.json once, with transformers: "
            "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)",
        )
    normalizer, pre_tokenizer = _CLASSES[name]
    vocabulary = read_json(folder / "vocab.json")
    added = [
        {"id": int(number), **{key: bool(entry.get(key, False)) for key in _FLAGS}, "content": entry["content"]}
        for number, entry in said.get("added_tokens_decoder", {}).items()
    ]
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": sorted(added, key=lambda entry: entry["id"]),
            "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer,
            "post_processor": None,
            "decoder": {**_BYTES, "use_regex": True},
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": False,
                "ignore_merges": False,
                "vocab": vocabulary,
                "merges": _merges(folder / "merges.txt"),
            },
        },
        ensure_ascii=False,
    )


_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


def _merges(file: Path) -> list[list[str]]:
    merges = []
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), start=1):
        if not line or (number == 1 and line.startswith("#version")):
            continue
        pair = line.split(" ")
        if len(pair) != 2 or not all(pair):
            raise DataError(f"{file}, line {number}: expected two tokens with one space between, found {line!r}")
        merges.append(pair)
    return merges
