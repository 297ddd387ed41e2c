"""Books in pieces: nothing is lost, pieces end between paragraphs, only the last one ends the text."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from edgeshrink.compress.corpus.text_files import text_documents
from edgeshrink.errors import DataError


def _book(seed: int, paragraphs: int) -> str:
    random = Random(seed)
    return "\n\n".join("word " * random.randrange(5, 120) for _ in range(paragraphs))


def test_a_book_comes_whole_in_pieces_that_end_between_paragraphs(tmp_path: Path) -> None:
    book = _book(1, 1000)
    file = tmp_path / "book.txt"
    file.write_text(book, encoding="utf-8")
    pieces = list(text_documents(file, 2000))
    assert "".join(piece.text for piece in pieces) == book
    assert all(2000 <= len(piece.text) <= 4000 for piece in pieces[:-1])
    assert all(piece.text.endswith("\n\n") for piece in pieces[:-1])
    assert [piece.ends for piece in pieces] == [False] * (len(pieces) - 1) + [True]


@pytest.mark.parametrize(("separator", "end"), [("\n", "\n"), (" ", " "), ("", "x")])
def test_text_without_paragraphs_is_cut_where_it_can_be(tmp_path: Path, separator: str, end: str) -> None:
    text = separator.join("x" * 37 for _ in range(5000))
    file = tmp_path / "text.txt"
    file.write_text(text, encoding="utf-8")
    pieces = [piece.text for piece in text_documents(file, 1000)]
    assert "".join(pieces) == text
    assert all(1000 <= len(piece) <= 2000 and piece.endswith(end) for piece in pieces[:-1])


def test_the_front_matter_of_markdown_is_not_learned(tmp_path: Path) -> None:
    text = "---\nlicense: mit\n---\n# Title\r\n\r\nWords."
    for name, learned in (("a.md", "# Title\n\nWords."), ("a.txt", text.replace("\r\n", "\n"))):
        (tmp_path / name).write_bytes(text.encode("utf-8-sig"))
        assert [piece.text for piece in text_documents(tmp_path / name, 1000)] == [learned]


def test_blank_text_is_no_document(tmp_path: Path) -> None:
    (tmp_path / "blank.txt").write_text(" \n\n" * 5000)
    assert not list(text_documents(tmp_path / "blank.txt", 100))


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"\xff\xfe words", "is not UTF-8"), (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer")],
)
def test_what_is_no_text_is_told(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(DataError, match=rf"a\.txt {said}"):
        list(text_documents(tmp_path / "a.txt", 100))
