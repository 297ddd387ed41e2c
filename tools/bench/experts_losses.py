"""What a finished GGUF loses on each kind of text that the demo was made for: cross-entropy, and answers to the letter.

Books from the part that nobody trains on, samples of every skill with a seed of their own.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from edgeshrink.runtimes.llama_cpp import load
from tools.demo.books import Library, read_books
from tools.demo.mixture import SHARES, draw
from tools.demo.samples import Sample

LENGTH = 256
DEMO = Path(__file__).resolve().parents[2] / "edgeshrink" / "_demo"


@dataclass(frozen=True)
class Row:
    """`answers`: first and last token (exclusive) of each stretch that is one answer."""

    kind: str
    tokens: tuple[int, ...]
    answers: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Losses:
    """By kind: nats a token over all tokens, and the share of answers whose every token is the likeliest."""

    entropy: dict[str, float]
    answered: dict[str, float]

    @property
    def mean(self) -> float:
        """Over the kinds, each as heavy as it is in the demo's own training."""
        return sum(SHARES[kind] * value for kind, value in self.entropy.items()) / sum(SHARES.values())


def rows_of(books: Path, *, rows: int, seed: int = 1234) -> list[Row]:
    """So many rows of LENGTH tokens a kind."""
    tokenizer = Tokenizer.from_file(str(DEMO / "tokenizer.json"))
    library, rng = Library.of(read_books(books), "heldout"), random.Random(f"experts/{seed}")
    return [_row(kind, rng, library, tokenizer) for kind in SHARES for _ in range(rows)]


def _row(kind: str, rng: random.Random, library: Library, tokenizer: Tokenizer) -> Row:
    tokens: list[int] = []
    answers: list[tuple[int, int]] = []
    while len(tokens) < LENGTH:
        sample = Sample.parse(draw(kind, rng, library, LENGTH))
        encoding = tokenizer.encode(sample.text)
        for begin, end in sample.answers:
            inside = [at for at, (first, last) in enumerate(encoding.offsets) if last > begin and first < end]
            if inside and len(tokens) + inside[-1] < LENGTH:
                answers.append((len(tokens) + inside[0], len(tokens) + inside[-1] + 1))
        tokens += encoding.ids
    return Row(kind, tuple(tokens[:LENGTH]), tuple(answers))


def losses(file: Path, rows: list[Row], *, threads: int) -> Losses:
    """Of the GGUF `file`, as llama.cpp computes it."""
    entropy: dict[str, list[float]] = {kind: [] for kind in SHARES}
    answered: dict[str, list[bool]] = {kind: [] for kind in SHARES}
    with load(file, context=LENGTH, threads=threads) as session:
        for row in rows:
            session.reset()
            logits = np.asarray(session.logits(row.tokens), dtype=np.float64)[:-1]
            expected = np.array(row.tokens[1:])
            entropy[row.kind].extend(_nats(logits, expected))
            right = logits.argmax(1) == expected
            answered[row.kind].extend(bool(right[max(0, a - 1) : b - 1].all()) for a, b in row.answers)
    return Losses(
        {kind: float(np.mean(values)) for kind, values in entropy.items()},
        {kind: float(np.mean(values)) for kind, values in answered.items() if values},
    )


def _nats(logits: NDArray[np.float64], expected: NDArray[np.int64]) -> Iterator[float]:
    top = logits.max(1, keepdims=True)
    total = np.log(np.exp(logits - top).sum(1)) + top[:, 0]
    yield from (total - logits[np.arange(len(expected)), expected]).tolist()
