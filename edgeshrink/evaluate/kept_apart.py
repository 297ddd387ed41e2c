"""What a suite asks and reads must be new to the model: none of it may stand in the text that compression looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from edgeshrink.catalog.overlap import Items, refuse_items, refuse_overlap
from edgeshrink.catalog.texts import LANGUAGES, Text, evaluation_text, language_text
from edgeshrink.core.suite import Suite, TextPlan
from edgeshrink.errors import DataError
from edgeshrink.evaluate.own_items import LinesAt, own_line

MOST_CHECKED = 5000
"""Items of one file: of a longer one, so many drawn at random say what share of it is known."""


def refuse_leaks(suite: Suite, seen: Text) -> None:
    """DataError where texts or items of `suite` stand in `seen`, or the other way; it says which, and how much.

    Generated items and texts are made anew for every seed and cannot leak; the harness's data is not looked at.
    """
    for text in _texts(suite):
        refuse_overlap(seen, text)
    for name, items in _items(suite):
        refuse_items(seen, name, items)


def asked_texts(suite: Suite | None) -> tuple[Text, ...]:
    """All that is read to judge by: of `suite`, and what every artifact is compared on."""
    found = {text.sha256: text for text in (evaluation_text(), *(() if suite is None else _texts(suite)))}
    return tuple(found.values())


def asked_items(suite: Suite | None) -> tuple[Items, ...]:
    """The items of a person's own files in `suite`."""
    return () if suite is None else tuple(Items(name, tuple(items)) for name, items in _items(suite))


def _texts(suite: Suite) -> Iterator[Text]:
    for plan in suite.texts:
        if (text := _text(plan)) is not None:
            yield text


def _items(suite: Suite) -> Iterator[tuple[str, Iterator[str]]]:
    for asked in suite.asking:
        files = asked.options.get("files", ())
        if asked.family == "own":
            for table in files:
                yield Path(table["file"]).name, _own(table)
        elif asked.family == "bfcl":
            for file in files:
                yield Path(file).name, _bfcl(Path(file))


def _text(plan: TextPlan) -> Text | None:
    if plan.file is not None:
        try:
            return Text.of(plan.file.name, plan.file.read_bytes())
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read {plan.file}: {error}", hint="give a plain text file, UTF-8") from error
    if plan.label in LANGUAGES:
        return language_text(plan.label)
    return evaluation_text() if plan.label == "general" else None


def _own(table: dict[str, Any]) -> Iterator[str]:
    """What each item asks and what it expects: a system message is the app's own and stands in front of all."""
    for number, data in _drawn(Path(table["file"])):
        line = own_line(data, table, number)
        turns = [str(one.get("content") or "") for one in line.messages if one["role"] != "system"]
        expected = line.expected if isinstance(line.expected, str) else json.dumps(line.expected, ensure_ascii=False)
        yield "\n".join((*turns, line.text, expected))


def _bfcl(file: Path) -> Iterator[str]:
    for number, data in _drawn(file):
        try:
            turns = json.loads(data)["question"]
            yield "\n".join(str(message["content"]) for turn in turns for message in turn)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{file}, line {number}: no item of BFCL: {error}") from error


def _drawn(file: Path) -> Iterator[tuple[int, bytes]]:
    lines = LinesAt(file)
    count = len(lines)
    yield from lines.pick(sorted(Random(0).sample(range(count), min(count, MOST_CHECKED))))
