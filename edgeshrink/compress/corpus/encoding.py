"""Documents to tokens, by the tokenizer of the model's own folder, with what of them is to be learned.

Plain text is framed as the model reads it (BOS where it adds one), and a document that is whole is followed by the
token that ends a text. Special tokens that a text spells count as such: records often hold rendered chats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.catalog.source_tokenizer import SourceTokenizer, open_source_tokenizer
from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.catalog.vocabulary_rows import BYTE, CONTROL, UNKNOWN, UNUSED, USER_DEFINED
from edgeshrink.compress.corpus.chats import Rendered, render_documents
from edgeshrink.compress.corpus.documents import Document
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import DataError

Learn = Literal["all", "answers"]
SPACE = "▁"


@dataclass(frozen=True, slots=True)
class Encoded:
    """`weights`: 0 or 1 for each of `ids`."""

    ids: list[int] = field(repr=False)
    weights: list[int] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Encoder:
    """Of one model folder. `learn` "answers": in a chat only what the assistant says counts, in a prompt with its
    completion only that; plain text counts whole."""

    facts: ModelFacts
    vocabulary: Vocabulary
    learn: Learn
    _tokenizer: SourceTokenizer = field(repr=False)

    @classmethod
    def open(cls, folder: Path, learn: Learn) -> Encoder:
        """DataError where the folder has no tokenizer that is known."""
        facts = inspect_folder(folder, str(folder), weights=False)
        vocabulary = read_vocabulary(facts)
        return cls(facts, vocabulary, learn, open_source_tokenizer(facts, vocabulary))

    @property
    def bos_id(self) -> int | None:
        """What the model puts in front of every text."""
        return self.vocabulary.bos_id if self.vocabulary.add_bos else None

    @property
    def padding(self) -> int:
        known = (self.vocabulary.pad_id, self.vocabulary.eos_id, 0)
        return next(number for number in known if number is not None and number < self.facts.vocab_size)

    def encode(self, documents: Sequence[Document]) -> list[Encoded | DataError]:
        """Each document, or why the chat template refused it.

        DataError is raised where there are chats and the model has no template, or a tokenizer that cannot look for
        the template's marks.
        """
        answers: list[Encoded | DataError] = [DataError("")] * len(documents)
        plain = [(place, plain_of(document, self.has_chats)) for place, document in enumerate(documents)]
        texts = [(place, document) for place, document in plain if document is not None]
        encoded = self.tokens([document.text for _, document in texts], self._starts(texts))
        for (place, document), (ids, weights) in zip(texts, encoded, strict=True):
            answers[place] = self.framed(ids, weights, ends=document.ends)
        chats = [place for place, document in plain if document is None]
        for place, chat in zip(chats, self._chats([documents[place] for place in chats]), strict=True):
            answers[place] = chat
        return answers

    def _starts(self, texts: Sequence[tuple[int, Document]]) -> list[list[tuple[int, int]] | None]:
        if self.learn == "all":
            return [None] * len(texts)
        return [
            None if document.answer_at is None else [(document.answer_at, len(document.text))] for _, document in texts
        ]

    @property
    def has_chats(self) -> bool:
        """Whether chats are read as the model's own template has them."""
        return self.vocabulary.chat_template is not None and self._tokenizer.parses_special

    def _chats(self, documents: Sequence[Document]) -> list[Encoded | DataError]:
        if not documents:
            return []
        answers = self.learn == "answers"
        rendered = render_documents(self.template(), documents, answers=answers, variables=self.marks())
        whole = [chat for chat in rendered if isinstance(chat, Rendered)]
        encoded = iter(
            self.tokens([chat.text for chat in whole], [list(chat.said) if answers else None for chat in whole])
        )
        return [chat if isinstance(chat, DataError) else self.framed(*next(encoded), ends=False) for chat in rendered]

    def template(self) -> str:
        """What renders chats. DataError where there is none, or a tokenizer that cannot look for its marks."""
        template, folder = self.vocabulary.chat_template, self.facts.source.path
        if template is None:
            raise DataError(f"the data holds chats, and {folder} has no chat template", hint='give {"text"} instead')
        if not self._tokenizer.parses_special:
            raise DataError(
                f"the data holds chats, and the tokenizer of {folder} (tokenizer.model) finds no marks in a text",
                hint="fetch the model's tokenizer.json too",
            )
        return template

    def marks(self) -> Mapping[str, str]:
        """What a chat template calls `bos_token` and `eos_token`."""
        tokens, vocabulary = self.vocabulary.tokens, self.vocabulary
        return {
            name: "" if number is None else tokens[number].decode("utf-8", "replace")
            for name, number in (("bos_token", vocabulary.bos_id), ("eos_token", vocabulary.eos_id))
        }

    def tokens(
        self, texts: Sequence[str], learned: Sequence[list[tuple[int, int]] | None]
    ) -> list[tuple[list[int], list[int]]]:
        """(ids, weights) of each text; `learned` spans of characters, None: all. A token counts where it begins."""
        if not texts:
            return []
        ids = self._tokenizer.encode(texts, parse_special=True)
        if all(spans is None for spans in learned):
            return [(row, [1] * len(row)) for row in ids]
        if not self._tokenizer.parses_special:
            raise DataError(
                f"{self.facts.source.path}: its tokenizer (tokenizer.model) does not say which token spells what, so"
                " answers cannot be told from prompts",
                hint="fetch the model's tokenizer.json too, or learn from all of the text",
            )
        offsets = self._tokenizer.spans(texts)
        return [
            (row, [1] * len(row) if spans is None else [_inside(place, spans) for place, _ in covered])
            for row, covered, spans in zip(ids, offsets, learned, strict=True)
        ]

    def framed(self, ids: list[int], weights: list[int], *, ends: bool) -> Encoded:
        """With the BOS that the model puts in front, and where the text `ends` the token that says so."""
        eos = self.vocabulary.eos_id
        if self.bos_id is not None and ids[:1] != [self.bos_id]:
            ids, weights = [self.bos_id, *ids], [0, *weights]
        if ends and eos is not None and eos in self.vocabulary.stop_ids and ids[-1:] != [eos]:
            ids, weights = [*ids, eos], [*weights, 1]
        if ids and max(ids) >= self.facts.vocab_size:
            raise DataError(
                f"{self.facts.source.path}: its tokenizer gives token {max(ids)}, and the model has"
                f" {self.facts.vocab_size}",
                hint="the tokenizer is another model's",
            )
        return Encoded(ids, weights)

    def token_bytes(self) -> NDArray[np.int64]:
        """Bytes of text that each token spells; special ones spell none: (vocabulary,)."""
        pairs = zip(self.vocabulary.tokens, self.vocabulary.token_types, strict=True)
        byte_level = self.vocabulary.kind == "bpe"
        return np.array([_spelt(token, kind, byte_level) for token, kind in pairs], np.int64)


def plain_of(document: Document, chats: bool) -> Document | None:
    """Plain text of a document, None where it is a chat: one turn is plain text for a model without chats."""
    if not document.messages:
        return document
    if chats or not document.turn:
        return None
    prompt, answer = (str(message["content"]) for message in document.messages)
    start = prompt if prompt[-1:].isspace() or answer[:1].isspace() else f"{prompt}\n"
    return replace(document, text=start + answer, answer_at=len(start), messages=())


def _inside(place: int, spans: Sequence[tuple[int, int]]) -> int:
    return int(any(start <= place < end for start, end in spans))


def _spelt(token: bytes, kind: int, byte_level: bool) -> int:
    if kind in (CONTROL, UNKNOWN, UNUSED):
        return 0
    if kind == BYTE:
        return 1
    if byte_level and kind != USER_DEFINED:
        return len(token.decode("utf-8", "replace"))  # a letter a byte
    return len(token.decode("utf-8", "replace").replace(SPACE, " ").encode())
