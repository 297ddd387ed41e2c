"""The first pass over all data: how much there is, what of it is a repetition, and whether it holds an examination."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeshrink.catalog.overlap import Watch
from edgeshrink.compress.corpus.division import Division, Place
from edgeshrink.compress.corpus.documents import Document
from edgeshrink.compress.corpus.encoding import Encoded, Encoder
from edgeshrink.compress.corpus.known import known_documents
from edgeshrink.compress.corpus.sources import Source
from edgeshrink.errors import DataError

_SAMPLE_BYTES = 1 << 16
"""Of each source: enough to know how many tokens a byte makes."""
_TELL_EVERY_S = 0.5

Emit = Callable[[dict[str, object]], None]


@dataclass(frozen=True, slots=True)
class Surveyed:
    """Of one source, repetitions left out: bytes of its documents and the tokens that they make, about."""

    nbytes: int
    tokens: float


@dataclass(frozen=True, slots=True)
class Survey:
    """`division` knows where the documents of all sources lie."""

    sources: tuple[Surveyed, ...]
    division: Division
    duplicates: int

    @property
    def tokens(self) -> float:
        return sum(source.tokens for source in self.sources)

    @property
    def bytes_per_token(self) -> float:
        return self.division.nbytes / max(self.tokens, 1.0)


def survey(
    sources: Sequence[Source], encoder: Encoder, watch: Watch, scratch: Path, *, characters: int, seed: int, emit: Emit
) -> Survey:
    """DataError where a source holds no document, or what `watch` looks for."""
    division = Division()
    found: list[Surveyed] = []
    duplicates, documents, told = 0, 0, time.monotonic()
    with known_documents(scratch / "survey.db") as known:
        for source in sources:
            nbytes, sample, before = 0, _Sample(), documents
            for document in source.documents(characters):
                documents += 1
                watch.see(source.name, document.words)
                place = Place.of(document.identity, seed)
                if not known.add(place.digest):
                    duplicates += 1
                    continue
                division.add(place, document.nbytes)
                nbytes += document.nbytes
                sample.add(document)
                if time.monotonic() - told > _TELL_EVERY_S:
                    told = time.monotonic()
                    emit({"done": documents, "total": 0, "unit": "documents"})
            if documents == before:
                raise DataError(f"{source.path} holds no text", hint="leave it out")
            found.append(Surveyed(nbytes, nbytes * sample.tokens_per_byte(encoder)))
    watch.refuse()
    return Survey(tuple(found), division, duplicates)


class _Sample:
    """The first documents of a source."""

    def __init__(self) -> None:
        self._documents: list[Document] = []
        self._nbytes = 0

    def add(self, document: Document) -> None:
        if self._nbytes < _SAMPLE_BYTES:
            self._documents.append(document)
            self._nbytes += document.nbytes

    def tokens_per_byte(self, encoder: Encoder) -> float:
        answers: Sequence[Any] = encoder.encode(self._documents)
        tokens = sum(len(answer.ids) for answer in answers if isinstance(answer, Encoded))
        return tokens / max(self._nbytes, 1)
