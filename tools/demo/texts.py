"""The text files shipped beside the model: one to calibrate with, the others to evaluate with, none ever trained on."""

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
LANGUAGE_BYTES = 48_000

README = """# Texts

All files were written by `tools/train_demo.py`. The first two hold documents that each begin with `<|begin|>`:
passages of books in {languages}, equal bytes of each language, and generated skills of the demo model (recall, sums,
tool decision, story) in its plain and chat forms, strewn among each other so that any beginning of a file is mixed.
The others are the books of one language alone, book after book, at most {most:,} bytes of each language.

| file | book text | use |
|---|---|---|
| `calibration.txt` | the part of every book from 95 % to 97 % | calibration (importance matrix) |
| `evaluation.txt` | the part of every book from 97 % to 99 % | evaluation, and nothing else |
| {files} | the same part | each language on its own, and filler of long prompts: evaluation, and nothing else |

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


def language_text(library: Library, language: str) -> str:
    """The books of one language, whole lines, equal shares of the bytes where they do not all fit."""
    texts = [text for of, text in library.texts if of == language]
    each = LANGUAGE_BYTES // len(texts)
    spare = sum(max(0, each - len(text.encode())) for text in texts)
    return "\n\n".join(next(_cut(text, each + spare), text).strip("\n") for text in texts) + "\n"


def write_texts(books: list[Book], folder: Path, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("calibration", "evaluation"):
        (folder / f"{part}.txt").write_text(mixed_text(books, part, seed), encoding="utf-8")
    write_language_texts(books, folder)


def write_language_texts(books: list[Book], folder: Path) -> None:
    """One file a language, and the README that says what all files are."""
    library = Library.of(books, "evaluation")
    for language in LANGUAGES:
        (folder / f"{language}.txt").write_text(language_text(library, language), encoding="utf-8")
    readme = README.format(
        languages=", ".join(LANGUAGES),
        most=LANGUAGE_BYTES,
        files=", ".join(f"`{language}.txt`" for language in LANGUAGES),
        books="\n".join(f"- {book.author}: {book.title} ({book.language})" for book in books),
    )
    (folder / "README.md").write_text(readme, encoding="utf-8")
