"""Which text compression may look at: the shipped one, or a file of the person's own, never the evaluation text."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.catalog.texts import Text, calibration_default, evaluation_text
from edgeshrink.errors import DataError

CalibrationText = Text

FEWEST_CHARACTERS = 4000
WORDS = 13  # the n-gram by which GPT-3's authors looked for test text in training text (arXiv 2005.14165)
LARGEST_SHARE = 0.02


def calibration_text(file: Path | None = None) -> CalibrationText:
    """The text of `file`, or the shipped one. DataError where it is unreadable, too short or the evaluation text."""
    if file is None:
        return calibration_default()
    try:
        text = Text.of(file.name, file.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read calibration text {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"calibration text {file} is not UTF-8 (byte {error.start}: {error.reason})", hint="give a plain text file"
        ) from error
    if len(text.text) < FEWEST_CHARACTERS:
        raise DataError(
            f"calibration text {file} has {len(text.text)} characters, expected at least {FEWEST_CHARACTERS}",
            hint="give some pages of text like what the model will see",
        )
    refuse_overlap(text, evaluation_text())
    return text


def refuse_overlap(calibration: Text, evaluation: Text) -> None:
    """DataError where more than LARGEST_SHARE of the evaluation text's runs of WORDS words stand in the other too.

    Words are what white space divides, in lower case. A model calibrated on what it is then judged by looks better
    than it is.
    """
    seen = _runs(calibration.text)
    asked = _runs(evaluation.text)
    shared = len(asked & seen)
    if asked and shared / len(asked) > LARGEST_SHARE:
        raise DataError(
            f"{calibration.name} holds {shared} of the {len(asked)} runs of {WORDS} words of {evaluation.name}:"
            " what is calibrated with would also be evaluated with",
            hint="take those passages out of the calibration text",
        )


def _runs(text: str) -> set[tuple[str, ...]]:
    words = text.casefold().split()
    return {tuple(words[start : start + WORDS]) for start in range(len(words) - WORDS + 1)}
