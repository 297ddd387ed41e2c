"""A finished teacher cache: a folder, read by row and position. No torch here.

cache.json       `CacheFacts`; written last: a folder without it is no cache
train.cache      rows of `records.row_type`, one for each row of the corpus
held_out.cache   the same for its held-out rows
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.json_files import read_json
from edgeshrink.compress.corpus.corpus import PARTS, Part
from edgeshrink.compress.distill.teacher_cache.entries import Floats, entries
from edgeshrink.compress.distill.teacher_cache.records import ENTRIES, checksums, row_type
from edgeshrink.compress.distill.teacher_cache.settings import CacheSettings
from edgeshrink.errors import DataError

CACHE_SCHEMA = "edgeshrink-teacher-cache-1"
CACHE_FILE = "cache.json"
_AGAIN = "write it again from the teacher and this corpus"


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """`bytes_per_token`: of the files, over the tokens of both parts. `sha256`: of the files' bytes, held_out after
    train. `corpus`: the digest of the corpus that it was written for. `tokens_s`: of the last run that wrote it."""

    settings: CacheSettings
    corpus: str
    vocab_size: int
    length: int
    rows: int
    held_out_rows: int
    bytes_per_token: float
    sha256: str
    tokens_s: float

    def count(self, part: Part) -> int:
        return self.rows if part == "train" else self.held_out_rows


@dataclass(frozen=True, slots=True)
class TeacherCache:
    """Its files mapped: nothing is read before it is asked for."""

    facts: CacheFacts
    _rows: Mapping[Part, NDArray[Any]] = field(repr=False)

    @classmethod
    def open(cls, folder: Path) -> TeacherCache:
        """DataError where it is not whole."""
        facts = _facts(folder)
        kind = row_type(facts.vocab_size, facts.length, facts.settings)
        return cls(facts, {part: _mapped(part_file(folder, part), kind, facts.count(part)) for part in PARTS})

    def read(
        self,
        rows: NDArray[np.int64],
        tokens: NDArray[Any],
        places: tuple[NDArray[np.int64], NDArray[np.int64]],
        *,
        part: Part = "train",
        temperature: float = 1.0,
        vocabulary: int | None = None,
    ) -> tuple[NDArray[np.int64], Floats, Floats]:
        """Ids, log-probabilities at `temperature` and masses (see `entries`) of what may follow N places of a batch.

        `rows`: the batch's rows by their numbers in the corpus, whose `tokens` (rows, length) are checked; `places`: of
        each of the N, which of these rows, and the position. What lies at or above `vocabulary` is the teacher's
        padding: its mass goes to the likeliest token. DataError where the cache is of another corpus.
        """
        if (
            tokens.shape[1] != self.facts.length
            or rows.min(initial=0) < 0
            or rows.max(initial=0) >= len(self._rows[part])
        ):
            raise _another(f"it has {len(self._rows[part])} rows of {self.facts.length} tokens")
        batch = self._rows[part][rows]
        if (batch["checksum"] != checksums(tokens)).any():
            raise _another("the tokens of a row differ")
        where = {name: batch[name][places] for name in ENTRIES}
        ids, logs, masses = entries(where, temperature)
        if vocabulary is not None:
            ids = np.where(ids < vocabulary, ids, ids[:, :1])
        return ids, logs, masses


def part_file(folder: Path, part: Part) -> Path:
    return folder / f"{part}.cache"


def finish(folder: Path, facts: CacheFacts) -> None:
    """Write cache.json, whole or not at all."""
    aside = folder / f"{CACHE_FILE}.part"
    aside.write_text(json.dumps({"schema": CACHE_SCHEMA, **asdict(facts)}, indent=1) + "\n", encoding="utf-8")
    aside.replace(folder / CACHE_FILE)


def content_sha256(folder: Path) -> str:
    """Of the bytes of both files, one after the other."""
    digest = hashlib.sha256()
    for part in PARTS:
        with part_file(folder, part).open("rb") as stream:
            while chunk := stream.read(4 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def _facts(folder: Path) -> CacheFacts:
    file = folder / CACHE_FILE
    if not file.is_file():
        raise DataError(f"{folder} holds no teacher cache: there is no {CACHE_FILE}", hint=_AGAIN)
    values = read_json(file)
    if values.pop("schema", None) != CACHE_SCHEMA:
        raise DataError(f"{file} is not of the schema {CACHE_SCHEMA}", hint=_AGAIN)
    try:
        return CacheFacts(**{**values, "settings": CacheSettings(**values["settings"])})
    except (KeyError, TypeError) as problem:
        raise DataError(f"{file} is not a teacher cache: {problem}", hint=_AGAIN) from problem


def _mapped(file: Path, kind: np.dtype[Any], rows: int) -> NDArray[Any]:
    there = file.stat().st_size if file.is_file() else -1
    if there != rows * kind.itemsize:
        raise DataError(f"{file} has {max(there, 0)} bytes, expected {rows * kind.itemsize}", hint=_AGAIN)
    return np.memmap(file, kind, mode="r", shape=(rows,)) if rows else np.zeros(0, kind)


def _another(why: str) -> DataError:
    return DataError(f"the teacher cache is of another corpus: {why}", hint=_AGAIN)
