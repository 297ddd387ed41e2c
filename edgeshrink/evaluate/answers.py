"""Answers as a file of JSON lines: one line an item, read as a stream."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeshrink.evaluate.probe_lines import answers_line, broken_line, json_lines
from edgeshrink.evaluate.probes import TEMPERATURES, Answer, Chosen, Refused, Said
from edgeshrink.evaluate.slices.interface import Answered

__all__ = ["NO_CONFIDENCE", "answered", "answers_line", "read_answers"]

NO_CONFIDENCE = (-1000.0,) * len(TEMPERATURES)
"""Of an answer that was not given: e to the power of it is zero."""


def read_answers(file: Path) -> Iterator[tuple[str, tuple[Answer, ...]]]:
    """(item's id, answers in the order of its probes) of each item, in the order asked; DataError names a bad line."""
    for number, value in json_lines(file, "answers"):
        try:
            yield str(value["id"]), tuple(map(_answer, value["answers"]))
        except (KeyError, TypeError, ValueError) as error:
            raise broken_line(file, number, error) from error


def answered(answer: Answer, right: bool) -> Answered:
    """A task's answer for calibration and fallback: a choice is as sure as its share among the options, at each of
    TEMPERATURES; what was refused is not sure at all."""
    match answer:
        case Said():
            return Answered(right, answer.confidence)
        case Chosen():
            return Answered(right, tuple(_sureness(answer.logprobs, heat) for heat in TEMPERATURES), written=False)
        case Refused():
            return Answered(right, NO_CONFIDENCE)


def _sureness(logprobs: Sequence[float], temperature: float) -> float:
    best = max(logprobs)
    return -math.log(sum(math.exp((one - best) / temperature) for one in logprobs))


def _answer(value: Mapping[str, Any]) -> Answer:
    match value["kind"]:
        case "said":
            return Said(
                text=str(value["text"]),
                tokens=int(value["tokens"]),
                ended=value["ended"],
                control=tuple(map(str, value["control"])),
                confidence=tuple(map(float, value["confidence"])),
            )
        case "chosen":
            return Chosen(tuple(map(float, value["logprobs"])), tuple(map(int, value["tokens"])))
        case "refused":
            return Refused(str(value["reason"]))
        case other:
            raise ValueError(f"no kind of answer is {other!r}")
