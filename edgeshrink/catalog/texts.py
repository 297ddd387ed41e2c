"""The texts that ship with the package: one to calibrate with, the others to evaluate with and for nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import edgeshrink

FOLDER = Path(edgeshrink.__file__).parent / "_texts"
LANGUAGES = ("en", "de", "es", "fr", "it")
"""Of the shipped texts in one language."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text, what it is called in a report, and the sha256 of its UTF-8 bytes."""

    name: str
    text: str = field(repr=False)
    sha256: str

    @classmethod
    def of(cls, name: str, data: bytes) -> Text:
        """UnicodeDecodeError where `data` is not UTF-8."""
        return cls(name, data.decode("utf-8"), hashlib.sha256(data).hexdigest())


def calibration_default() -> Text:
    """The shipped calibration text."""
    return Text.of("shipped calibration text", (FOLDER / "calibration.txt").read_bytes())


def evaluation_text() -> Text:
    """The shipped evaluation text."""
    return Text.of("shipped evaluation text", (FOLDER / "evaluation.txt").read_bytes())


def language_text(language: str) -> Text:
    """The shipped evaluation text in one of LANGUAGES: passages of public-domain books, nothing else."""
    return Text.of(f"shipped {language} text", (FOLDER / f"{language}.txt").read_bytes())
