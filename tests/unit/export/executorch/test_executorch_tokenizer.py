"""The tokenizer.json beside a `.pte`: what ExecuTorch's library cannot read right is written another way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from edgeshrink.export.executorch.tokenizer import NFC_NOTE, for_runner

NFC = {"type": "NFC"}
LOWER = {"type": "Lowercase"}
METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}


def test_a_tokenizer_that_is_read_right_stays_as_it_is(demo_model: Path) -> None:
    given = json.loads((demo_model / "tokenizer.json").read_text(encoding="utf-8"))
    assert for_runner(given) == (given, ())


@pytest.mark.parametrize(
    ("given", "kept"),
    [(NFC, None), ({"type": "Sequence", "normalizers": [NFC, LOWER]}, {"type": "Sequence", "normalizers": [LOWER]})],
)
def test_composing_is_left_out_and_told(given: dict[str, object], kept: dict[str, object] | None) -> None:
    adapted, notes = for_runner({"normalizer": given})
    assert adapted["normalizer"] == kept
    assert notes == (NFC_NOTE,)


def test_without_composing_composed_text_gets_the_same_ids(demo_model: Path) -> None:
    given = json.loads((demo_model / "tokenizer.json").read_text(encoding="utf-8"))
    composing = {**given, "normalizer": NFC}
    adapted, _ = for_runner(composing)
    before, after = (Tokenizer.from_str(json.dumps(entry)) for entry in (composing, adapted))
    for text in ("é й ñ", "plain words", "日本語"):
        assert before.encode(text).ids == after.encode(text).ids


def test_metaspace_becomes_a_normalizer_with_the_same_ids() -> None:
    words = ["▁", "a", "b", "▁a", "▁b", "▁a▁"]
    given = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": METASPACE,
        "post_processor": None,
        "decoder": METASPACE,
        "model": {
            "type": "BPE",
            "vocab": {word: number for number, word in enumerate(words)},
            "merges": [["▁", "a"], ["▁", "b"]],
        },
    }
    adapted, notes = for_runner(given)
    assert adapted["pre_tokenizer"] is None
    assert len(notes) == 1
    before, after = (Tokenizer.from_str(json.dumps(entry)) for entry in (given, adapted))
    for text in ("a b", "ab a", "b"):
        assert before.encode(text).ids == after.encode(text).ids
