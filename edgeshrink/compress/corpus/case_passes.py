"""Cases, and what else stands in the data, gone through twice: to see what there is, then to make tokens of it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from edgeshrink.catalog.overlap import Watch
from edgeshrink.compress.corpus.case_encoding import CaseEncoder, Row
from edgeshrink.compress.corpus.case_pairs import Pairs
from edgeshrink.compress.corpus.cases import Case, case_of
from edgeshrink.compress.corpus.decision_files import DECISIONS, Openings, decision_line
from edgeshrink.compress.corpus.division import Division, Place
from edgeshrink.compress.corpus.documents import Document, document_of
from edgeshrink.compress.corpus.encoding import Encoded
from edgeshrink.compress.corpus.jsonl_files import jsonl_records
from edgeshrink.compress.corpus.known import known_documents
from edgeshrink.compress.corpus.sources import RECORDS, Source
from edgeshrink.errors import DataError

LEAST_HELD_OUT = 200
"""Cases: of fewer a share says little. A fifth of all at most."""
_TELL_EVERY_S = 0.5
_AT_ONCE = 256
_PIECE_CHARACTERS = 4096  # of plain text beside the cases
Emit = Callable[[dict[str, object]], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """A case, or something else to learn from, of the source with that number. `place` is that of the whole pair."""

    source: int
    content: Case | Document = field(repr=False)
    place: Place

    @property
    def nbytes(self) -> int:
        return len(self.content.identity)


@dataclass(frozen=True, slots=True)
class Looked:
    """`entries` that are there once. Those whose place is below `held_out_below` are kept from training."""

    entries: int
    duplicates: int
    held_out_below: int


@dataclass(slots=True)
class Taken:
    """Not frozen: it counts. By source: documents and tokens; `refused` by why; the rest are cases."""

    documents: Counter[int] = field(default_factory=Counter)
    tokens: Counter[int] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    texts: int = 0
    longest: int = 0
    too_long: int = 0
    alone: int = 0
    undecided: int = 0

    def notes(self, duplicates: int) -> list[str]:
        """What of the data was not used, and why."""
        lines = [f"{count} were left out: {why}" for why, count in self.refused.most_common(3)]
        if self.too_long:
            lines.append(f"{self.too_long} cases were left out: they have more tokens than a row (--length)")
        if self.alone:
            lines.append(f"{self.alone} cases have no near miss: a stand-in says where they decide")
        if self.undecided:
            lines.append(f"{self.undecided} cases hold no token that decides")
        if duplicates:
            lines.append(f"{duplicates} stood there twice and were taken once")
        return lines


def look(
    sources: Sequence[Source], pairs: Pairs, watch: Watch, scratch: Path, *, held_out: float, seed: int, emit: Emit
) -> Looked:
    """Fills `pairs`. DataError where there is no case, or something that `watch` looks for."""
    division, cases, entries, duplicates, told = Division(), 0, 0, 0, time.monotonic()
    with known_documents(scratch / "look.db") as known:
        for entry in _entries(sources, seed):
            watch.see(sources[entry.source].name, entry.content.words)
            if not known.add(Place.of(entry.content.identity, seed).digest):
                duplicates += 1
                continue
            entries += 1
            division.add(entry.place, entry.nbytes)
            if isinstance(entry.content, Case):
                cases += 1
                pairs.add(entry.source, entry.content)
            if time.monotonic() - told > _TELL_EVERY_S:
                told = time.monotonic()
                emit({"done": entries, "total": 0, "unit": "cases"})
    watch.refuse()
    if not cases:
        raise DataError(
            f"{', '.join(source.name for source in sources)}: there is no case to decide in it",
            hint='--objective tool-policy takes JSONL of {"messages", "tools", "answer", "pair"} or'
            ' {"question", "passage", "answer", "pair"}',
        )
    share = max(held_out, LEAST_HELD_OUT / cases) if held_out > 0 else 0.0
    return Looked(entries, duplicates, division.held_out_below(share * division.nbytes))


def encode(
    sources: Sequence[Source],
    pairs: Pairs,
    looked: Looked,
    encoder: CaseEncoder,
    rows: Path,
    folder: Path,
    *,
    length: int,
    seed: int,
    emit: Emit,
) -> Taken:
    """Lines [held out?, has a row to itself?, ids, weights] into the file `rows`; the held-out decisions and all
    openings into `folder`. DataError where nothing is left to train on."""
    taken, openings, done = Taken(), Openings(), 0
    with (
        known_documents(rows.with_suffix(".db")) as known,
        rows.open("w", encoding="ascii") as out,
        (folder / DECISIONS).open("w", encoding="utf-8") as decisions,
    ):
        fresh = (one for one in _entries(sources, seed) if known.add(Place.of(one.content.identity, seed).digest))
        while some := list(islice(fresh, _AT_ONCE)):
            for entry, row in _encoded(some, pairs, encoder, length, taken):
                held_out = entry.place.held_out < looked.held_out_below
                if isinstance(row, Row) and row.decision is not None:
                    openings.see(row.decision)
                    if held_out:
                        decisions.write(decision_line(row.decision))
                taken.documents[entry.source] += 1
                taken.tokens[entry.source] += len(row.ids)
                out.write(json.dumps([int(held_out), isinstance(row, Row), row.ids, row.weights]) + "\n")
            done += len(some)
            emit({"done": done, "total": looked.entries, "unit": "cases"})
    openings.write(folder)
    if not taken.longest:
        why = next(iter(taken.refused), f"all cases have more than {length} tokens")
        raise DataError(f"nothing can be learned from the cases: {why}", hint="look at the first of them")
    return taken


def _entries(sources: Sequence[Source], seed: int) -> Iterator[Entry]:
    for number, source in enumerate(sources):
        for content in _contents(source):
            pair = content.pair if isinstance(content, Case) else None
            whole = content.identity if pair is None else f"pair\0{source.name}\0{pair}".encode()
            yield Entry(number, content, Place.of(whole, seed))


def _contents(source: Source) -> Iterator[Case | Document]:
    if not source.path.name.lower().endswith(RECORDS):
        if source.path.is_dir() and any(file.name.lower().endswith(RECORDS) for file in source.files):
            raise DataError(f"{source.path}: cases are not looked for in folders", hint="name its JSONL files")
        yield from source.documents(_PIECE_CHARACTERS)
        return
    for where, record in jsonl_records(source.path):
        found = case_of(record, where) or document_of(record, where)
        if found is not None:
            yield found


def _encoded(
    some: Sequence[Entry], pairs: Pairs, encoder: CaseEncoder, length: int, taken: Taken
) -> Iterator[tuple[Entry, Row | Encoded]]:
    """Those that can be learned from; the others are counted."""
    cases = [(entry, entry.content) for entry in some if isinstance(entry.content, Case)]
    answers = [(case, pairs.near_miss(entry.source, case)) for entry, case in cases]
    taken.alone += sum(answer is None for _, answer in answers)
    for (entry, _), row in zip(cases, encoder.encode(answers), strict=True):
        if isinstance(row, DataError):
            taken.refused[row.message] += 1
        elif len(row.ids) > length:
            taken.too_long += 1
        else:
            taken.undecided += row.decision is None
            taken.longest = max(taken.longest, len(row.ids))
            yield entry, row
    texts = [(entry, entry.content) for entry in some if isinstance(entry.content, Document)]
    for (entry, _), text in zip(texts, encoder.encoder.encode([text for _, text in texts]), strict=True):
        if isinstance(text, DataError):
            taken.refused[text.message] += 1
        elif any(text.weights[1:]):
            taken.texts += 1
            yield entry, text
