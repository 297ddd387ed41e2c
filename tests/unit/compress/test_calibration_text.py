"""Compression looks at the shipped text or the person's own, never at the text it is judged by."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edgeshrink.catalog.overlap import refuse_overlap
from edgeshrink.catalog.texts import FOLDER, calibration_default, evaluation_text
from edgeshrink.compress.calibration import calibration_text
from edgeshrink.errors import DataError


def test_without_a_file_it_is_the_shipped_text() -> None:
    text = calibration_text()
    assert text == calibration_default()
    assert text.sha256 == hashlib.sha256((FOLDER / "calibration.txt").read_bytes()).hexdigest()


def test_the_shipped_texts_do_not_overlap() -> None:
    refuse_overlap(calibration_default(), evaluation_text())


def test_a_file_is_taken_with_its_name_and_digest(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(("Ein Satz über Möwen. " * 400).encode())
    text = calibration_text(path)
    assert (text.name, len(text.text)) == ("mine.txt", 21 * 400)
    assert text.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_that_holds_evaluation_text_is_refused(tmp_path: Path) -> None:
    words = evaluation_text().text.split()
    part = " ".join(words[1000 : 1000 + len(words) // 10]).upper()
    path = tmp_path / "leak.txt"
    path.write_text("something else entirely " * 1000 + part, encoding="utf-8")
    with pytest.raises(DataError, match=r"leak\.txt holds \d+ of the \d+ runs of 13 words"):
        calibration_text(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"too short", "has 9 characters, expected at least 4000"), (b"\xff" * 5000, r"not UTF-8 \(byte 0")],
)
def test_a_file_that_cannot_serve_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        calibration_text(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.txt"):
        calibration_text(tmp_path / "absent.txt")
