"""Documents packed into rows of equal length, one behind the other, straight onto the disk.

Every row begins with BOS where the model adds one, so a document that goes on in the next row loses no prediction to
the first column, and the model reads every row as it reads a prompt. Documents in one row see each other: no mask. A
row that predicts nothing is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.compress.corpus.corpus import CORPUS_FILE, PARTS, REJECTED, Corpus, Part, token_type, write_corpus_json
from edgeshrink.core.training import TextSource


class CorpusWriter:
    """Writes the corpus in `folder`, which is none before `finish`. What stood there of another one is gone.

    `token_bytes` (vocabulary,): bytes of text that each token spells, None: not known, and all `held_out_bytes` are 0.
    `padding` fills the last row of a part, with weight 0.
    """

    def __init__(
        self,
        folder: Path,
        *,
        length: int,
        vocab_size: int,
        padding: int = 0,
        bos_id: int | None = None,
        token_bytes: NDArray[np.integer[Any]] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CORPUS_FILE).unlink(missing_ok=True)
        self._folder = folder
        self._facts = {"length": length, "vocab_size": vocab_size, "padding": padding, "bos_id": bos_id}
        self._documents = 0
        bytes_of = np.zeros(vocab_size, np.int64) if token_bytes is None else token_bytes.astype(np.int64)
        self._parts = {part: _Part(folder, part, length, vocab_size, padding, bos_id, bytes_of) for part in PARTS}

    def __enter__(self) -> CorpusWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for part in self._parts.values():
            part.close()

    def add(self, part: Part, ids: Sequence[int], weights: Sequence[int] | None = None) -> None:
        """One document. `weights` (0 or 1 for each token); None: all but a BOS at its beginning.

        The first token of a document is not predicted, whatever its weight: nothing before it speaks of it.
        """
        if ids:
            self._documents += 1
            self._parts[part].add(ids, weights)

    def add_row(self, part: Part, ids: Sequence[int], weights: Sequence[int]) -> None:
        """One document that has a row to itself: the rest of it is padding. `weights` (0 to 255 for each token) may be
        larger than 1; the first token is not predicted. ValueError where it is longer than a row."""
        self._documents += 1
        self._parts[part].add_row(ids, weights)

    def tokens(self, part: Part) -> int:
        """So far, the BOS that rows begin with counted."""
        return self._parts[part].tokens

    def finish(
        self,
        sources: Sequence[TextSource] = (),
        *,
        duplicates: int = 0,
        notes: Sequence[str] = (),
        made: dict[str, Any] | None = None,
    ) -> Corpus:
        """Close the last rows and write corpus.json. `made`: how, for whoever reads it."""
        digest = hashlib.sha256()
        for part in self._parts.values():
            part.finish()
            digest.update(part.digest())
        data = {
            **self._facts,
            **{f"{name}_rows": part.rows for name, part in self._parts.items()},
            "tokens": self._parts["train"].tokens,
            "held_out_tokens": self._parts["held_out"].tokens,
            "documents": self._documents,
            "duplicates": duplicates,
            "digest": digest.hexdigest(),
            "sources": [asdict(source) for source in sources],
            "notes": list(notes),
            "made": made or {},
        }
        write_corpus_json(self._folder, data)
        return Corpus.open(self._folder)


class _Part:
    """The files of one part, and the row that is being filled."""

    def __init__(
        self,
        folder: Path,
        name: Part,
        length: int,
        vocab_size: int,
        padding: int,
        bos_id: int | None,
        bytes_of: NDArray[np.int64],
    ) -> None:
        self.rows, self.tokens = 0, 0
        self._bos, self._padding, self._bytes_of = bos_id, padding, bytes_of
        self._row = np.empty(length, token_type(vocab_size))
        self._weights = np.zeros(length, np.uint8)
        self._filled = 0
        self._digest = hashlib.sha256()
        self._tokens_file = (folder / f"{name}.tokens").open("wb")
        self._weights_file = (folder / f"{name}.weights").open("wb")
        self._bytes_file = (folder / "held_out.bytes").open("wb") if name == "held_out" else None

    def add(self, ids: Sequence[int], weights: Sequence[int] | None) -> None:
        values = self._checked(ids)
        counted = np.ones(len(values), np.uint8) if weights is None else np.asarray(weights, np.uint8).copy()
        counted[0] = 0
        place = 0
        while place < len(values):
            if not self._filled and self._bos is not None and values[place] != self._bos:
                self._put(np.array([self._bos]), np.zeros(1, np.uint8))
            taken = min(len(self._row) - self._filled, len(values) - place)
            self._put(values[place : place + taken], counted[place : place + taken])
            place += taken

    def add_row(self, ids: Sequence[int], weights: Sequence[int]) -> None:
        """Beside the row that is being filled, which goes on behind it."""
        values, filled = self._checked(ids), len(ids)
        if filled > len(self._row):
            raise ValueError(f"{filled} tokens for a row of {len(self._row)}")
        row, counted = np.empty_like(self._row), np.zeros_like(self._weights)
        row[:filled], counted[:filled] = values, np.asarray(weights, np.uint8)
        self.tokens += filled
        self._write(row, counted, filled)

    def _checked(self, ids: Sequence[int]) -> NDArray[np.int64]:
        values = np.asarray(ids, np.int64)
        if values.min() < 0 or values.max() >= len(self._bytes_of):
            raise ValueError(f"token {int(values.max())} of a vocabulary of {len(self._bytes_of)}")
        return values

    def _put(self, values: NDArray[np.int64], weights: NDArray[np.uint8]) -> None:
        end = self._filled + len(values)
        self._row[self._filled : end], self._weights[self._filled : end] = values, weights
        self.tokens += len(values)
        self._filled = end
        if end == len(self._row):
            self._close_row()

    def _close_row(self) -> None:
        filled, self._filled = self._filled, 0
        self._write(self._row, self._weights, filled)

    def _write(self, row: NDArray[Any], weights: NDArray[np.uint8], filled: int) -> None:
        """One row, of which the first `filled` tokens are there."""
        weights[0] = 0
        if not weights[:filled].any():  # a long question: nothing is learned from it
            self.tokens -= filled
            return
        row[filled:], weights[filled:] = self._padding, 0
        for data, file in ((row, self._tokens_file), (weights, self._weights_file)):
            raw = data.tobytes()
            self._digest.update(raw)
            file.write(raw)
        if self._bytes_file is not None:
            said = (weights > 0) & (weights != REJECTED)
            spelt = int(self._bytes_of[row[said].astype(np.int64)].sum())
            self._bytes_file.write(np.array([spelt], "<i8").tobytes())
        self.rows += 1

    def finish(self) -> None:
        """The last row is padded."""
        if self._filled:
            self._close_row()
        self.close()

    def digest(self) -> bytes:
        """sha256 of the rows."""
        return self._digest.digest()

    def close(self) -> None:
        """The files; twice is once."""
        for file in (self._tokens_file, self._weights_file, self._bytes_file):
            if file is not None:
                file.close()
