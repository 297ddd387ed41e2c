"""The source's own tokenizer, run by its own library: what the finished file is compared with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from edgeshrink.catalog.metaspace import as_sentencepiece, metaspace_prefixes
from edgeshrink.catalog.tokenizer_sentencepiece import open_sentencepiece
from edgeshrink.catalog.tokenizer_vocab_merges import vocab_merges_json
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import UnsupportedModel


@dataclass(frozen=True, slots=True)
class AddedToken:
    """A token that is looked for in the text itself. `strips`: it swallows spaces beside it."""

    id: int
    text: str
    special: bool
    strips: bool


@dataclass(frozen=True, slots=True)
class SourceTokenizer:
    """`parses_special` False: the library cannot look for added tokens in a text (SentencePiece)."""

    added: tuple[AddedToken, ...]
    parses_special: bool
    composes: bool
    """True: it composes characters (NFC) before anything else."""
    _tokenizer: Any = field(repr=False)

    def encode(self, texts: Sequence[str], *, parse_special: bool) -> list[list[int]]:
        """The ids of each text, without BOS or EOS. `parse_special`: special tokens in it count as such."""
        if not self.parses_special:
            return [list(ids) for ids in self._tokenizer.encode(list(texts))]
        self._tokenizer.encode_special_tokens = not parse_special
        return [entry.ids for entry in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def spans(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        """For each text the characters (from, to) that each id of `encode(parse_special=True)` covers."""
        self._tokenizer.encode_special_tokens = False
        return [entry.offsets for entry in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def frame(self, text: str) -> list[int]:
        """The ids of one text as the library frames it, BOS and EOS included."""
        return list(self._tokenizer.encode(text, add_special_tokens=True).ids)


def open_source_tokenizer(facts: ModelFacts, vocabulary: Vocabulary) -> SourceTokenizer:
    """The tokenizer of a Hugging Face folder, as near as llama.cpp's rules come to it (`Vocabulary.notes` tell where).

    UnsupportedModel for a GGUF, which brings none but llama.cpp's own.
    """
    if facts.source.kind == "gguf":
        raise UnsupportedModel(f"{facts.source.path} brings no tokenizer but the one in the GGUF itself")
    file = vocabulary.source_file
    if file.name == "tokenizer.model":
        return SourceTokenizer((), False, False, open_sentencepiece(file))
    from tokenizers import Tokenizer

    text = vocab_merges_json(file.parent) if file.name == "vocab.json" else file.read_text(encoding="utf-8")
    data = json.loads(text)
    if metaspace_prefixes(data):
        text = json.dumps(as_sentencepiece(data))
    tokenizer = Tokenizer.from_str(text)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    added = tuple(
        AddedToken(number, token.content, token.special, token.lstrip or token.rstrip or token.single_word)
        for number, token in sorted(tokenizer.get_added_tokens_decoder().items())
        if number < facts.vocab_size
    )
    return SourceTokenizer(added, True, "NFC" in str(tokenizer.normalizer), tokenizer)
