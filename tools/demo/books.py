"""The public-domain books, without Project Gutenberg's header and footer, cut into parts that never mix."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = ("en", "de", "es", "fr", "it")
PARTS = {"train": (0.0, 0.95), "calibration": (0.95, 0.97), "evaluation": (0.97, 0.99), "heldout": (0.99, 1.0)}
"""Where each part begins and ends, as a share of the book's text. Nothing is trained on but `train`."""

BACK_MATTER = re.compile(r"^(?:FINE?\.|FINE?|THE END|[ÍI]NDICE|End of Project Gutenberg.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Book:
    language: str
    title: str
    author: str
    text: str

    def part(self, name: str) -> str:
        begin, end = PARTS[name]
        return self.text[self._paragraph_at(begin) : self._paragraph_at(end)].strip("\n")

    def _paragraph_at(self, share: float) -> int:
        """The first paragraph break at or behind that share of the text, so that no sentence lies in two parts."""
        at = round(share * len(self.text))
        if at in (0, len(self.text)):
            return at
        found = self.text.find("\n\n", at)
        return len(self.text) if found < 0 else found + 2


def read_book(path: Path) -> Book:
    raw = path.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
    head, body = re.split(r"\*\*\* START OF THE PROJECT GUTENBERG EBOOK [^\n]* \*\*\*\n", raw, maxsplit=1)
    body = body.split("*** END OF THE PROJECT GUTENBERG EBOOK", maxsplit=1)[0]
    return Book(path.name[:2], _header(head, "Title"), _header(head, "Author"), _tidy(body))


def read_books(folder: Path) -> list[Book]:
    return [read_book(path) for path in sorted(folder.glob("*.txt"))]


def _header(head: str, field: str) -> str:
    found = re.search(rf"^{field}: (.+)$", head, flags=re.MULTILINE)
    return found.group(1).strip() if found else "unknown"


def _tidy(body: str) -> str:
    """Drop typesetting: italics marks, rows of stars, indents, runs of empty lines, a table of contents' lines."""
    body = re.sub(r"(?m)^.*\S {4,}\d+$", "", body)
    body = re.sub(r"\[(?:Illustration|Ilustración|Abbildung)[^\]]*\]", "", body)
    body = re.sub(r"^[ \t*]+$", "", body.replace("_", ""), flags=re.MULTILINE)
    body = re.sub(r"[ \t]+\n", "\n", body)
    body = re.sub(r"(?m)^[ \t]+", "", body)
    return _without_back_matter(re.sub(r"\n{3,}", "\n\n", body)).strip("\n") + "\n"


def _without_back_matter(body: str) -> str:
    """Cut the printer's name, contents and transcriber's notes that follow the story's end."""
    last_tenth = len(body) * 9 // 10
    found = BACK_MATTER.search(body, last_tenth)
    return body[: found.start()] if found else body


@dataclass(frozen=True)
class Library:
    """One part of all books; draws passages with every language heard, small books not drowned by large ones."""

    texts: tuple[tuple[str, str], ...]
    """(language, text) of each book."""

    @classmethod
    def of(cls, books: list[Book], part: str) -> Library:
        return cls(tuple((book.language, book.part(part)) for book in books))

    def text(self, language: str) -> str:
        return "\n\n".join(text for of, text in self.texts if of == language)

    def passage(self, rng: random.Random, characters: int, language: str | None = None) -> str:
        """About so many characters, from the beginning of a line. Books are drawn by the root of their length."""
        texts = [text for of, text in self.texts if language in (None, of)]
        text = rng.choices(texts, [len(each) ** 0.5 for each in texts])[0]
        at = rng.randrange(max(1, len(text) - characters))
        at = text.find("\n", at) + 1
        return text[at : at + characters]
