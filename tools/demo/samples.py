"""A training sample: text, and which stretches of it are answers the model must get right."""

from __future__ import annotations

from dataclasses import dataclass

OPEN, CLOSE = "\ue000", "\ue001"
"""Private-use characters that no book holds; generators write them round an answer."""


def answer(text: str) -> str:
    return f"{OPEN}{text}{CLOSE}"


@dataclass(frozen=True)
class Sample:
    text: str
    answers: tuple[tuple[int, int], ...]
    """Where each answer begins and ends, in characters of `text`."""

    @classmethod
    def parse(cls, marked: str) -> Sample:
        pieces: list[str] = []
        answers: list[tuple[int, int]] = []
        length = 0
        for number, piece in enumerate(marked.replace(CLOSE, OPEN).split(OPEN)):
            if number % 2:
                answers.append((length, length + len(piece)))
            pieces.append(piece)
            length += len(piece)
        return cls("".join(pieces), tuple(answers))


@dataclass(frozen=True)
class Item:
    """One test question: what the model reads and what it must write next, to the letter."""

    prompt: str
    expected: str
    label: str
    """The bucket it is counted in."""
