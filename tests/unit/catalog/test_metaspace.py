"""Tokenizers with Metaspace: llama.cpp's one rule exchanged, everything else the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from edgeshrink.catalog.metaspace import as_sentencepiece, metaspace_prefixes

TEXTS = ["the cat sat on the mat", "the dog, the cat and the log", "three  cats that sat there"]


def metaspace(scheme: str, *, split: bool) -> dict[str, Any]:
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
    names = ["<unk>", "<s>", *(f"<0x{number:02X}>" for number in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=names, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    data: dict[str, Any] = json.loads(tokenizer.to_str())
    return data


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("scheme", ["first", "always"])
def test_texts_that_begin_with_a_letter_keep_their_ids(scheme: str, split: bool) -> None:
    data = metaspace(scheme, split=split)
    assert metaspace_prefixes(data)
    own, other = Tokenizer.from_str(json.dumps(data)), Tokenizer.from_str(json.dumps(as_sentencepiece(data)))
    for text in (*TEXTS, "ü", "cat  ", "a\n b", "x   y"):
        assert own.encode(text, add_special_tokens=False).ids == other.encode(text, add_special_tokens=False).ids


def test_leading_spaces_differ_by_one_space() -> None:
    data = metaspace("first", split=False)
    own, other = Tokenizer.from_str(json.dumps(data)), Tokenizer.from_str(json.dumps(as_sentencepiece(data)))
    for text in (" the cat", "  the cat"):
        assert own.encode(" " + text).ids == other.encode(text).ids


def test_a_metaspace_that_puts_nothing_is_left_alone() -> None:
    assert not metaspace_prefixes(metaspace("never", split=True))
    assert not metaspace_prefixes({"pre_tokenizer": None})
