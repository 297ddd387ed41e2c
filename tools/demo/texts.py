"""The text files shipped beside the model: one to calibrate with, one to evaluate with, neither ever trained on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from tools.demo.books import LANGUAGES, Book, Library
from tools.demo.chat import BEGIN
from tools.demo.mixture import SHARES, draw
from tools.demo.samples import Sample

BYTES_PER_LANGUAGE = 8_000
SKILL_BYTES = 40_000
PASSAGE_BYTES = 1_000
SAMPLE_TOKENS = 384

README = """# Texts

Both files were written by `tools/train_demo.py` and hold documents that each begin with `<|begin|>`: passages of
books in {languages}, equal bytes of each language, and generated skills of the demo model (recall, sums, tool
decision, story) in its plain and chat forms, strewn among each other so that any beginning of a file is mixed.

| file | book text | use |
|---|---|---|
| `calibration.txt` | the part of every book from 95 % to 97 % | calibration (importance matrix) |
| `evaluation.txt` | the part of every book from 97 % to 99 % | evaluation, and nothing else |

The demo model was trained on the first 95 % of every book; its card reports the loss on the last 1 %. So the text
trained on, calibrated with, evaluated with and reported on never overlaps. The generated skills come from seeds of
their own.

Books, all in the public domain, from Project Gutenberg (its header and footer taken off):

{books}
"""


def _cut(text: str, size: int) -> Iterator[str]:
    """Whole lines, in pieces of about so many bytes of UTF-8."""
    piece: list[str] = []
    for line in text.splitlines(keepends=True):
        piece.append(line)
        if len("".join(piece).encode()) >= size:
            yield "".join(piece)
            piece = []


def _passages(library: Library, language: str) -> Iterator[str]:
    """Passages from every book of the language in turn, up to the limit of bytes."""
    left = BYTES_PER_LANGUAGE
    sources = [_cut(text, PASSAGE_BYTES) for of, text in library.texts if of == language]
    while sources and left > 0:
        source = sources.pop(0)
        passage = next(source, None)
        if passage is not None:
            sources.append(source)
            passage = passage.encode()[:left].decode(errors="ignore")
            left -= len(passage.encode())
            yield passage


def _skills(rng: random.Random, library: Library) -> Iterator[str]:
    kinds = [kind for kind in SHARES if kind != "book"]
    left = SKILL_BYTES
    while left > 0:
        for kind in kinds:
            text = Sample.parse(draw(kind, rng, library, SAMPLE_TOKENS)).text
            left -= len(text.encode())
            yield text


def mixed_text(books: list[Book], part: str, seed: int) -> str:
    rng = random.Random(f"{part}/{seed}")
    library = Library.of(books, part)
    documents = [passage for language in LANGUAGES for passage in _passages(library, language)]
    documents += _skills(rng, library)
    rng.shuffle(documents)
    return "".join(f"{BEGIN}{document}" for document in documents)


def write_texts(books: list[Book], folder: Path, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("calibration", "evaluation"):
        (folder / f"{part}.txt").write_text(mixed_text(books, part, seed), encoding="utf-8")
    named = "\n".join(f"- {book.author}: {book.title} ({book.language})" for book in books)
    (folder / "README.md").write_text(README.format(languages=", ".join(LANGUAGES), books=named), encoding="utf-8")
