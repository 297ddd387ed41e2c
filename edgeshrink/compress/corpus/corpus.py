"""A corpus on disk: rows of tokens with the weight of each, by number, without reading more than is asked for.

    corpus.json        what follows, how it was made, and from what (`core.training.TextSource`)
    train.tokens       uint16 (uint32 above 65,536 tokens), little endian: (rows, length)
    train.weights      uint8: (rows, length); 1 where the token is to be predicted, more where it counts for more; the
                       first column is 0
    held_out.tokens    the same for the documents that are never trained on
    held_out.weights
    held_out.bytes     int64: (rows,); bytes of text that a row's predicted tokens spell

corpus.json is written last: a folder without it is no corpus.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.json_files import read_json
from edgeshrink.core.training import TextSource
from edgeshrink.errors import DataError

CORPUS_SCHEMA = "edgeshrink-corpus-1"
CORPUS_FILE = "corpus.json"
REJECTED = 255
"""Weight of the tokens of a rejected answer: what they are worth is measured, and nobody learns to say them."""
Part: TypeAlias = Literal["train", "held_out"]
PARTS: tuple[Part, ...] = ("train", "held_out")


@dataclass(frozen=True, slots=True)
class Rows:
    """One part's files, mapped: `tokens` (rows, length), `weights` (rows, length) of 0 to 255."""

    tokens: NDArray[Any] = field(repr=False)
    weights: NDArray[np.uint8] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Corpus:
    """An opened corpus. `tokens`: of the part to train on, padding left out. `duplicates`: documents that were there
    once already and were left out. `digest`: sha256 of all rows. `bos_id`: what every row begins with, None: nothing.
    """

    folder: Path
    length: int
    rows: int
    held_out_rows: int
    vocab_size: int
    sources: tuple[TextSource, ...]
    digest: str
    padding: int
    bos_id: int | None
    tokens: int
    documents: int
    duplicates: int
    notes: tuple[str, ...]
    _parts: Mapping[Part, Rows] = field(repr=False)
    _bytes: NDArray[np.int64] = field(repr=False)

    @classmethod
    def open(cls, folder: Path) -> Corpus:
        """DataError where it is not whole."""
        data = _read(folder / CORPUS_FILE)
        try:
            length, counts = int(data["length"]), {part: int(data[f"{part}_rows"]) for part in PARTS}
            vocab_size = int(data["vocab_size"])
            sources = tuple(TextSource(**source) for source in data["sources"])
            rest: dict[str, Any] = {
                "digest": str(data["digest"]),
                "padding": int(data["padding"]),
                "bos_id": None if data["bos_id"] is None else int(data["bos_id"]),
                "tokens": int(data["tokens"]),
                "documents": int(data["documents"]),
                "duplicates": int(data["duplicates"]),
                "notes": tuple(str(note) for note in data["notes"]),
            }
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{folder / CORPUS_FILE} is not a corpus: {error!r}", hint=_AGAIN) from error
        kind = token_type(vocab_size)
        parts = {
            part: Rows(
                _mapped(folder / f"{part}.tokens", kind, (count, length)),
                _mapped(folder / f"{part}.weights", np.dtype(np.uint8), (count, length)),
            )
            for part, count in counts.items()
        }
        return cls(
            folder=folder,
            length=length,
            rows=counts["train"],
            held_out_rows=counts["held_out"],
            vocab_size=vocab_size,
            sources=sources,
            _parts=parts,
            _bytes=_mapped(folder / "held_out.bytes", np.dtype("<i8"), (counts["held_out"],)),
            **rest,
        )

    def batch(self, rows: NDArray[np.int64], part: Part = "train") -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """(tokens, weights) of those rows, each (n, length); the weights' first column is 0."""
        read = self._parts[part]
        return read.tokens[rows].astype(np.int32), read.weights[rows].astype(np.float32)

    def weight(self, rows: NDArray[np.int64], part: Part = "train") -> float:
        """Sum of the weights of those rows: how many tokens they predict."""
        return float(self._parts[part].weights[rows].sum(dtype=np.int64))

    def held_out_bytes(self, rows: NDArray[np.int64]) -> int:
        """Bytes of text that the predicted tokens of those held-out rows spell; special tokens spell none."""
        return int(self._bytes[rows].sum())

    def order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """All rows to train on, each once, in the order of that epoch: (rows,)."""
        return np.random.default_rng((seed, epoch)).permutation(self.rows)


_AGAIN = "make it again"


def token_type(vocab_size: int) -> np.dtype[Any]:
    """Of the tokens on disk."""
    return np.dtype("<u2") if vocab_size <= 1 << 16 else np.dtype("<u4")


def write_corpus_json(folder: Path, data: Mapping[str, Any]) -> None:
    """The last file of a corpus, whole or not at all."""
    aside = folder / f"{CORPUS_FILE}.part"
    aside.write_text(json.dumps({"schema": CORPUS_SCHEMA, **data}, indent=1) + "\n", encoding="utf-8")
    aside.replace(folder / CORPUS_FILE)


def _read(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        raise DataError(f"{file.parent} holds no corpus: there is no {file.name}", hint=_AGAIN)
    data = read_json(file)
    if data.get("schema") != CORPUS_SCHEMA:
        raise DataError(f"{file}: schema is {data.get('schema')!r}, expected {CORPUS_SCHEMA!r}", hint=_AGAIN)
    return data


def _mapped(file: Path, kind: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    wanted = int(np.prod(shape)) * kind.itemsize
    there = file.stat().st_size if file.is_file() else -1
    if there != wanted:
        raise DataError(f"{file} has {max(there, 0)} bytes, expected {wanted}", hint=_AGAIN)
    if not wanted:  # nothing can be mapped of an empty file
        return np.zeros(shape, kind)
    return np.memmap(file, kind, mode="r", shape=shape)
