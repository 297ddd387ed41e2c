"""Files of the Berkeley Function Calling Leaderboard, as they are published: questions, and `possible_answer/` beside
them. Only the places of their lines are held."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from edgeshrink.errors import DataError
from edgeshrink.evaluate.own_items import LinesAt

_NOT_ASKED = re.compile(
    r"(?:\A|_)(?:java|javascript|multi_turn|memory|web_search|exec|rest|sql|chatable|format_sensitivity)(?:_|\Z)"
)
_ANSWERS = "possible_answer"


@dataclass(frozen=True, slots=True)
class BfclSet:
    """`wants` of every question in it."""

    name: str
    file: Path

    @property
    def wants(self) -> Literal["these calls", "no call", "a call"]:
        if "irrelevance" in self.name:
            return "no call"
        return "a call" if "relevance" in self.name else "these calls"


@dataclass(frozen=True, slots=True)
class Question:
    """`wanted`: for each call that is due, {function: {argument: values that are taken}}."""

    set: BfclSet
    id: str
    messages: tuple[dict[str, str], ...]
    functions: tuple[dict[str, Any], ...]
    wanted: tuple[dict[str, dict[str, list[Any]]], ...]


def bfcl_set(file: Path) -> BfclSet:
    """Named as the file is, without its version. DataError where there is none, or one that cannot be asked."""
    name = re.sub(r"\ABFCL_v\d+_", "", file.stem)
    if _NOT_ASKED.search(name):
        raise DataError(f"{file}: {name} is not a set of one turn in Python", hint="leave it out: only those are asked")
    if not file.is_file():
        raise DataError(f"{file}: there is no such file", hint="give BFCL's files as they are published")
    return BfclSet(name, file)


def questions(sets: Sequence[BfclSet], seed: int) -> Iterator[Question]:
    """All of them, in an order that the seed makes. DataError names the line that is no question of BFCL."""
    lines = [LinesAt(one.file) for one in sets]
    answers = [
        _Answers(one.file.parent / _ANSWERS / one.file.name) if one.wants == "these calls" else None for one in sets
    ]
    order = [(number, index) for number, held in enumerate(lines) for index in range(len(held))]
    Random(f"{seed}-bfcl").shuffle(order)
    for number, index in order:
        ((line, data),) = lines[number].pick([index])
        where = f"{sets[number].file}, line {line}"
        value = _json(data, where)
        try:
            yield _question(sets[number], value, answers[number])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{where}: no question of BFCL: {type(error).__name__}: {error}") from error


class _Answers:
    """A question's is found by its id."""

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise DataError(
                f"{file}: there is no such file", hint=f"keep BFCL's folder {_ANSWERS} beside its questions"
            )
        self._file, self._lines = file, LinesAt(file)
        every = range(len(self._lines))
        self._places = {
            str(_json(data, f"{file}, line {line}").get("id")): index
            for index, (line, data) in zip(every, self._lines.pick(every), strict=True)
        }

    def of(self, name: str) -> tuple[dict[str, Any], ...]:
        if name not in self._places:
            raise DataError(f"{self._file}: no answer to {name}", hint="questions and answers must be of one version")
        ((line, data),) = self._lines.pick([self._places[name]])
        where = f"{self._file}, line {line}"
        wanted = _json(data, where).get("ground_truth")
        if not isinstance(wanted, list) or not wanted or not all(map(_is_wanted, wanted)):
            raise DataError(f"{where}: ground_truth is no list of calls, each argument with a list of values")
        return tuple(wanted)


def _json(data: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise DataError(f"{where}: no JSON object")
    return value


def _is_wanted(one: Any) -> bool:
    if not isinstance(one, dict) or len(one) != 1:
        return False
    (arguments,) = one.values()
    return isinstance(arguments, dict) and all(isinstance(values, list) for values in arguments.values())


def _question(one: BfclSet, value: dict[str, Any], answers: _Answers | None) -> Question:
    (messages,) = value["question"]
    functions = value["function"] if isinstance(value["function"], list) else [value["function"]]
    if not functions and one.wants != "no call":
        raise ValueError("no functions")
    if not all(isinstance(each["name"], str) and isinstance(each["parameters"], dict) for each in functions):
        raise ValueError("a function without a name and parameters")
    return Question(
        one,
        str(value["id"]),
        tuple({"role": str(each["role"]), "content": str(each["content"])} for each in messages),
        tuple(functions),
        answers.of(str(value["id"])) if answers else (),
    )
