"""Which text compression may look at: the shipped one, or a file of the person's own, never the evaluation text."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.catalog.overlap import refuse_overlap
from edgeshrink.catalog.texts import Text, calibration_default, evaluation_text
from edgeshrink.errors import DataError

CalibrationText = Text

FEWEST_CHARACTERS = 4000


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
