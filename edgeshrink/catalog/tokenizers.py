"""The source's tokenizer as a Vocabulary, whichever files it is in."""

from __future__ import annotations

from edgeshrink.catalog.gguf_vocabulary import gguf_vocabulary
from edgeshrink.catalog.tokenizer_json import json_vocabulary
from edgeshrink.catalog.tokenizer_sentencepiece import sentencepiece_vocabulary
from edgeshrink.catalog.tokenizer_vocab_merges import vocab_merges_json
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import DataError


def read_vocabulary(facts: ModelFacts) -> Vocabulary:
    """All that a GGUF needs of the tokenizer, padded to the model's vocabulary size.

    DataError where a file is damaged or there is none, UnsupportedModel where llama.cpp has no such tokenizer.
    """
    if facts.source.kind == "gguf":
        return gguf_vocabulary(facts)
    folder = facts.source.path
    if (folder / "tokenizer.json").is_file():
        return json_vocabulary(folder / "tokenizer.json", facts)
    if (folder / "tokenizer.model").is_file():
        return sentencepiece_vocabulary(folder / "tokenizer.model", facts)
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        return json_vocabulary(folder / "vocab.json", facts, text=vocab_merges_json(folder))
    raise DataError(
        f"{folder} has no tokenizer: none of tokenizer.json, tokenizer.model, vocab.json with merges.txt",
        hint="fetch the tokenizer files of the model too",
    )
