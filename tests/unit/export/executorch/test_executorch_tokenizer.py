"""The tokenizer.json beside a `.pte`: what ExecuTorch's library cannot read right is written another way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from edgeshrink.catalog.models import inspect_model
from edgeshrink.export.executorch.tokenizer import NFC_NOTE, for_runner, write_tokenizer

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


def splitting_at_spaces(scheme: str) -> dict[str, object]:
    """A tokenizer.json with six words and a Metaspace pre-tokenizer."""
    words = ["▁", "a", "b", "▁a", "▁b", "▁a▁"]
    metaspace = {**METASPACE, "prepend_scheme": scheme}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": metaspace,
        "post_processor": None,
        "decoder": metaspace,
        "model": {
            "type": "BPE",
            "vocab": {word: number for number, word in enumerate(words)},
            "merges": [["▁", "a"], ["▁", "b"]],
        },
    }


def test_metaspace_becomes_a_normalizer_with_the_same_ids() -> None:
    given = splitting_at_spaces("always")
    adapted, notes = for_runner(given)
    assert adapted["pre_tokenizer"] is None
    assert len(notes) == 1
    before, after = (Tokenizer.from_str(json.dumps(entry)) for entry in (given, adapted))
    for text in ("a b", "ab a", "b"):
        assert before.encode(text).ids == after.encode(text).ids


def test_a_change_without_a_note_is_written_too(demo_model: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    given = source / "tokenizer.json"
    given.write_text(json.dumps(splitting_at_spaces("never")), encoding="utf-8")
    facts = replace(inspect_model(str(demo_model)), tokenizer_files=(given,))
    assert write_tokenizer(facts, out) == ()
    written = json.loads((out / "tokenizer.json").read_text(encoding="utf-8"))
    assert written["pre_tokenizer"] is None
    before, after = (Tokenizer.from_file(str(folder / "tokenizer.json")) for folder in (source, out))
    for text in ("a b", "ab a", " b"):
        assert before.encode(text).ids == after.encode(text).ids


def test_a_file_that_is_read_right_is_copied_byte_for_byte(demo_model: Path, tmp_path: Path) -> None:
    facts = inspect_model(str(demo_model))
    assert write_tokenizer(facts, tmp_path) == ()
    for file in facts.tokenizer_files:
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()
