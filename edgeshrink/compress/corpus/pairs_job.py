"""The child's side of `build_pairs`: a look at all pairs, then a pass that tokenizes them, then plain text."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from edgeshrink.catalog.overlap import Watch
from edgeshrink.compress.corpus.answers import encode_answers
from edgeshrink.compress.corpus.apart import watch_of
from edgeshrink.compress.corpus.corpus import REJECTED, Corpus, Part
from edgeshrink.compress.corpus.division import Division, Place
from edgeshrink.compress.corpus.encoding import Encoded, Encoder
from edgeshrink.compress.corpus.jsonl_files import jsonl_records
from edgeshrink.compress.corpus.known import known_documents
from edgeshrink.compress.corpus.pairs import Pair, pair_of
from edgeshrink.compress.corpus.pairs_build import SOURCE
from edgeshrink.compress.corpus.sources import find_sources
from edgeshrink.compress.corpus.writing import CorpusWriter
from edgeshrink.core.training import TextSource
from edgeshrink.errors import DataError

LEAST_HELD_OUT = 100
"""Pairs: of fewer it could not be said whether a student agrees with more of them than before."""
_AT_ONCE = 128
Emit = Callable[[dict[str, object]], None]


@dataclass(slots=True)
class _Counts:
    """Not frozen: it counts. By source: pairs and tokens; `refused` by why."""

    pairs: Counter[int] = field(default_factory=Counter)
    tokens: Counter[int] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    too_long: int = 0
    train: int = 0


def job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Write the corpus into `folder`. Parameters: see `build_pairs`; `scratch` is a folder that the parent removes."""
    scratch, half, seed = Path(parameters["scratch"]), int(parameters["half"]), int(parameters["seed"])
    sources = find_sources([Path(path) for path in parameters["paths"]])
    encoder = Encoder.open(Path(parameters["tokenizer_folder"]), "answers")
    pairs = _Pairs(Path(parameters["pairs"]), seed, encoder.padding)
    emit({"stage": "looking through them"})
    watch = watch_of(scratch)
    pairs.look(scratch, watch, [source.name for source in sources], float(parameters["held_out"]))
    emit({"stage": "tokens"})
    with CorpusWriter(
        Path(parameters["folder"]),
        length=2 * half,
        vocab_size=encoder.facts.vocab_size,
        padding=encoder.padding,
        bos_id=encoder.bos_id,
        token_bytes=encoder.token_bytes(),
    ) as writer:
        counts = pairs.write(scratch, encoder, writer, half, emit)
        if not counts.train:
            why = next(iter(counts.refused), f"all are longer than {half} tokens (--length)")
            raise DataError(f"no pair is left to learn from: {why}", hint="look at the first of them")
        text = () if parameters["text"] is None else _write_text(Path(parameters["text"]), writer, counts.train, seed)
        told = [source.told(counts.pairs[place], counts.tokens[place]) for place, source in enumerate(sources)]
        corpus = writer.finish(
            [*told, *text],
            duplicates=pairs.duplicates,
            notes=[*parameters["notes"], *_notes(counts, pairs, half)],
            made={name: parameters[name] for name in ("seed", "held_out", "half")},
        )
    return {"rows": corpus.rows, "held_out_rows": corpus.held_out_rows}


class _Pairs:
    """The pairs of one file, gone through twice; `count` are there once and say something."""

    def __init__(self, file: Path, seed: int, padding: int) -> None:
        self._file, self._seed, self._padding = file, seed, padding
        self.count, self.duplicates, self.alike = 0, 0, 0
        self._held_out_below = 0

    def look(self, scratch: Path, watch: Watch, names: Sequence[str], held_out: float) -> None:
        """DataError where they hold what `watch` looks for, or none is there."""
        division = Division()
        with known_documents(scratch / "look.db") as known:
            for source, pair in self._all():
                watch.see(names[source], f"{pair.chosen.words}\n{pair.rejected.words}")
                if pair.alike:
                    self.alike += 1
                elif not known.add(_digest(pair)):
                    self.duplicates += 1
                else:
                    self.count += 1
                    division.add(Place.of(pair.prompt, self._seed), 1)
        watch.refuse()
        if not self.count:
            raise DataError(
                "no pair is left to learn from: in none is one answer other than the rejected one",
                hint="give pairs whose answers differ",
            )
        self._held_out_below = division.held_out_below(
            max(held_out * self.count, LEAST_HELD_OUT) if held_out > 0 else 0.0
        )

    def write(self, scratch: Path, encoder: Encoder, writer: CorpusWriter, half: int, emit: Emit) -> _Counts:
        counts, done = _Counts(), 0
        with known_documents(scratch / "write.db") as known:
            fresh = ((source, one) for source, one in self._all() if not one.alike and known.add(_digest(one)))
            while some := list(islice(fresh, _AT_ONCE)):
                documents = [document for _, pair in some for document in (pair.chosen, pair.rejected)]
                encoded = iter(encode_answers(encoder, documents))
                for source, pair in some:
                    self._write(writer, counts, source, pair, (next(encoded), next(encoded)), half)
                done += len(some)
                emit({"done": done, "total": self.count, "unit": "pairs"})
        return counts

    def _write(
        self,
        writer: CorpusWriter,
        counts: _Counts,
        source: int,
        pair: Pair,
        answers: tuple[Encoded | DataError, Encoded | DataError],
        half: int,
    ) -> None:
        chosen, rejected = answers
        if isinstance(chosen, DataError) or isinstance(rejected, DataError):
            counts.refused[next(one.message for one in answers if isinstance(one, DataError))] += 1
        elif max(len(chosen.ids), len(rejected.ids)) > half:
            counts.too_long += 1
        elif not (any(chosen.weights[1:]) and any(rejected.weights[1:])):
            counts.refused["an answer has no token"] += 1
        else:
            held_out = Place.of(pair.prompt, self._seed).held_out < self._held_out_below
            part: Part = "held_out" if held_out else "train"
            writer.add_row(part, *row_of(chosen, rejected, half, self._padding))
            counts.train += not held_out
            counts.pairs[source] += 1
            counts.tokens[source] += len(chosen.ids) + len(rejected.ids)

    def _all(self) -> Iterator[tuple[int, Pair]]:
        for where, record in jsonl_records(self._file):
            yield int(record[SOURCE]), pair_of(record, where)


def row_of(chosen: Encoded, rejected: Encoded, half: int, padding: int) -> tuple[list[int], list[int]]:
    """(ids, weights) of both halves; the last one's padding is left to the row."""
    gap = half - len(chosen.ids)
    first, second = ([0, *one.weights[1:]] for one in (chosen, rejected))
    ids = [*chosen.ids, *([padding] * gap), *rejected.ids]
    return ids, [*first, *([0] * gap), *(REJECTED * weight for weight in second)]


def _write_text(folder: Path, writer: CorpusWriter, most: int, seed: int) -> tuple[TextSource, ...]:
    """At most `most` rows of two passages each, drawn from all over the corpus in `folder`."""
    corpus = Corpus.open(folder)
    drawn = corpus.order(seed, 0)[: 2 * min(most, corpus.rows // 2)]
    for places in drawn.reshape(-1, 2):
        tokens, weights = corpus.batch(places)
        writer.add_row("train", tokens.reshape(-1).tolist(), weights.astype(np.uint8).reshape(-1).tolist())
    return corpus.sources


def _notes(counts: _Counts, pairs: _Pairs, half: int) -> list[str]:
    """What of the pairs was not used, and why."""
    lines = [f"{count} pairs were left out: {why}" for why, count in counts.refused.most_common(3)]
    if counts.too_long:
        lines.append(f"{counts.too_long} pairs were left out: an answer ends beyond {half} tokens (--length)")
    if pairs.alike:
        lines.append(f"{pairs.alike} pairs were left out: both answers are the same")
    if pairs.duplicates:
        lines.append(f"{pairs.duplicates} pairs stood there twice and were taken once")
    return lines


def _digest(pair: Pair) -> bytes:
    return hashlib.sha256(pair.identity).digest()
