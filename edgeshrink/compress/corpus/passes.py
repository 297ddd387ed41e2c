"""Passes over the data that tokenize what is taken of it, until there is enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeshrink.compress.corpus.corpus import Part
from edgeshrink.compress.corpus.division import PLACES, Place
from edgeshrink.compress.corpus.documents import Document
from edgeshrink.compress.corpus.encoding import Encoded, Encoder
from edgeshrink.compress.corpus.known import Known, known_documents
from edgeshrink.compress.corpus.mixing import interleaved, shuffled
from edgeshrink.compress.corpus.sources import Source
from edgeshrink.compress.corpus.survey import Emit, Survey
from edgeshrink.compress.corpus.writing import CorpusWriter
from edgeshrink.errors import DataError

LEAST_HELD_OUT_ROWS = 16
_MARGIN = 1.05  # of what is drawn over what a limit asks for: the tokens are estimated
_ENOUGH = 8  # tokens under the limit: nothing is learned from fewer
_BATCH_BYTES = 1 << 20
_BATCH_DOCUMENTS = 256


@dataclass(frozen=True, slots=True)
class Request:
    """`limit`: tokens to train on, None: all. `characters` of a piece of plain text."""

    length: int
    limit: int | None
    held_out: float
    seed: int
    characters: int


@dataclass(frozen=True, slots=True)
class _Taken:
    """A document on its way: which source's, which part's."""

    source: int
    part: Part
    document: Document = field(repr=False)


class Passes:
    """Takes documents until the limit is reached. Of data larger than that a pass takes those that lie in one stretch
    of the drawn line, over all sources; the next pass, if one is needed, goes on where it ends."""

    def __init__(
        self, sources: Sequence[Source], seen: Survey, encoder: Encoder, writer: CorpusWriter, request: Request
    ) -> None:
        self._sources, self._seen, self._encoder, self._writer = sources, seen, encoder, writer
        self._request = request
        self._wanted = seen.tokens if request.limit is None else min(seen.tokens, request.limit)
        least = LEAST_HELD_OUT_ROWS * request.length if request.held_out > 0 else 0
        held_out = max(request.held_out * self._wanted, least) * seen.bytes_per_token
        self._held_out_below = seen.division.held_out_below(held_out)
        self._documents: Counter[int] = Counter()
        self._tokens: Counter[int] = Counter()
        self._refused: Counter[str] = Counter()

    def run(self, scratch: Path, emit: Emit) -> None:
        """DataError where nothing is to be learned from any document."""
        start = 0
        while start < PLACES and not self._full:
            end = PLACES
            if (left := self._left) is not None:
                end = self._seen.division.drawn_below(left * self._seen.bytes_per_token * _MARGIN, start)
            with known_documents(scratch / "pass.db") as known:
                self._pass(known, start, end, emit)
            start = end
        if not sum(self._documents.values()):
            why = next(iter(self._refused), "not a word of it counts")
            raise DataError(f"nothing can be learned from the data: {why}", hint="look at its first records")

    def taken(self, source: int) -> tuple[int, int]:
        """Documents and tokens of that source, held-out ones too."""
        return self._documents[source], self._tokens[source]

    def notes(self) -> list[str]:
        """What of the data was not used, and why."""
        lines = [f"{count} chats were left out: {why}" for why, count in self._refused.most_common(3)]
        if self._seen.duplicates:
            lines.append(f"{self._seen.duplicates} documents stood there twice and were taken once")
        return lines

    def _pass(self, known: Known, start: int, end: int, emit: Emit) -> None:
        streams = [self._stream(place, known, start, end) for place in range(len(self._sources))]
        totals = [source.nbytes for source in self._seen.sources]
        for batch in _batches(shuffled(interleaved(streams, totals, _size), _size, self._request.seed)):
            needed = [taken for taken in batch if taken.part == "held_out" or not self._full]
            if not needed and start:
                return
            for taken, answer in zip(needed, self._encoder.encode([one.document for one in needed]), strict=True):
                self._write(taken, answer)
            done = min(self._writer.tokens("train"), self._wanted)
            emit({"done": done, "total": self._wanted, "unit": "tokens"})

    def _stream(self, source: int, known: Known, start: int, end: int) -> Iterator[_Taken]:
        for document in self._sources[source].documents(self._request.characters):
            place = Place.of(document.identity, self._request.seed)
            held_out = place.held_out < self._held_out_below
            # Held-out documents are all taken in the first pass.
            if (start == 0 if held_out else start <= place.drawn < end) and known.add(place.digest):
                yield _Taken(source, "held_out" if held_out else "train", document)

    def _write(self, taken: _Taken, answer: Encoded | DataError) -> None:
        if isinstance(answer, DataError):
            self._refused[answer.message] += 1
            return
        ids, weights = answer.ids, answer.weights
        if taken.part == "train" and (left := self._left) is not None:
            if left < _ENOUGH:
                return
            fits = left - left // self._request.length - 1  # every row may begin with a BOS of its own
            ids, weights = ids[:fits], weights[:fits]
        if any(weights[1:]):
            self._writer.add(taken.part, ids, weights)
            self._documents[taken.source] += 1
            self._tokens[taken.source] += len(ids)

    @property
    def _left(self) -> int | None:
        limit = self._request.limit
        return None if limit is None else limit - self._writer.tokens("train")

    @property
    def _full(self) -> bool:
        left = self._left
        return left is not None and left < _ENOUGH


def _size(taken: _Taken) -> int:
    return taken.document.nbytes


def _batches(stream: Iterator[_Taken]) -> Iterator[list[_Taken]]:
    batch: list[_Taken] = []
    held = 0
    for taken in stream:
        batch.append(taken)
        held += _size(taken)
        if held >= _BATCH_BYTES or len(batch) >= _BATCH_DOCUMENTS:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
