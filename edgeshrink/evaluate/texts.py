"""The labelled texts of a suite: shipped, generated, or a person's own. Another seed reads other places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from edgeshrink.catalog.texts import LANGUAGES, Text, evaluation_text, language_text
from edgeshrink.core.suite import TextPlan
from edgeshrink.errors import DataError, UsageError
from edgeshrink.evaluate.generated_code import code_text
from edgeshrink.evaluate.generated_digits import digits_text

GENERATED: dict[str, Callable[[Random, int], str]] = {"code": code_text, "digits": digits_text}
"""Label -> (random, characters) -> a text of at least so many characters."""
_ROUNDS = 2  # after which a generated text must not end: three looks take four times the first
_CHARACTERS_PER_TOKEN = 6
_BEGIN = "<|begin|>"


@dataclass(frozen=True, slots=True)
class LabelledText:
    """`text` begins where its windows begin; `round` says which of them are meant (`windows.cut_round`)."""

    label: str
    title: str
    text: Text
    round: int = 0

    def as_json(self) -> dict[str, object]:
        """For the child."""
        text = self.text
        own = {"label": self.label, "title": self.title, "round": self.round}
        return {**own, "name": text.name, "sha256": text.sha256, "text": text.text}


def suite_text(plan: TextPlan, *, seed: int, round: int, tokens: int) -> LabelledText:
    """The text of `plan` as `seed` reads it, for windows of `tokens` tokens in the first round.

    A generated one is another text for each seed; any other is turned so that its windows begin elsewhere, at a
    document or a line. Every round of a seed has the same text, so that its windows follow each other.
    UsageError: no text ships under that label. DataError: the file cannot be read.
    """
    random = Random(f"{seed}-text-{plan.label}")
    if plan.file is None and plan.label in GENERATED:
        characters = tokens * _CHARACTERS_PER_TOKEN * 2 ** max(_ROUNDS, round)
        text = GENERATED[plan.label](random, characters)
        name = f"generated {plan.label}"
    else:
        given = _whole(plan)
        name, text = given.name, _turned(given.text, random)
    return LabelledText(plan.label, plan.title, Text.of(f"{name}, seed {seed}", text.encode()), round)


def _whole(plan: TextPlan) -> Text:
    if plan.file is not None:
        return _read(plan.file)
    if plan.label == "general":
        return evaluation_text()
    if plan.label in LANGUAGES:
        return language_text(plan.label)
    known = ", ".join(("general", *LANGUAGES, *GENERATED))
    raise UsageError(f"no text ships as {plan.label!r}", hint=f"one of {known}, or give it a file")


def _read(path: Path) -> Text:
    try:
        return Text.of(path.name, path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint="check the path") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: {error}", hint="save it as UTF-8") from error


def _turned(text: str, random: Random) -> str:
    """The same text from another document or line on, its beginning behind its end."""
    mark = _BEGIN if _BEGIN in text else "\n"
    found = text.find(mark, random.randrange(max(1, len(text))))
    at = max(found, 0) if mark == _BEGIN else found + 1
    return text[at:] + text[:at]
