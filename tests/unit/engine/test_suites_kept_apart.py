"""`evaluate` refuses questions that stand in the text that a file was calibrated with, before it asks any."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from built_gguf import build_gguf

import edgeshrink
from edgeshrink.catalog.texts import calibration_default
from edgeshrink.errors import DataError

WORDS = " ".join(f"Question {number} about the brass lamp in room {number * 7}." for number in range(600))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Path:
    return build_gguf(demo_model, tmp_path_factory.mktemp("apart") / "model.gguf", "Q8_0").path


def suite(folder: Path, text: str) -> str:
    """A file of ten questions, passages of `text`."""
    words = text.split()
    lines = [{"prompt": " ".join(words[at : at + 40]), "expected": "yes"} for at in range(100, 500, 40)]
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


def test_the_shipped_calibration_text_is_looked_at(file: Path, demo_model: Path, tmp_path: Path) -> None:
    mine = suite(tmp_path, calibration_default().text)
    with pytest.raises(DataError, match=r"10 of the 10 items of mine\.jsonl stand in shipped calibration text"):
        edgeshrink.evaluate(file, str(demo_model), suite=mine)


def test_the_text_that_is_named_is_looked_at(file: Path, demo_model: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen.txt"
    seen.write_text(WORDS, encoding="utf-8")
    with pytest.raises(DataError, match=r"items of mine\.jsonl stand in seen\.txt"):
        edgeshrink.evaluate(file, str(demo_model), suite=suite(tmp_path, WORDS), calibration=seen)
