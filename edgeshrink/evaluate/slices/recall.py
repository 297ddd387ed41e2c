"""A fact told once in a long text and asked for at its end, by where it stood and by how long the text is.

The note tells other facts as well, so that no fact whatever is good enough; being made up, it can only come from the
text. Option: `others`, how many (default 5).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from edgeshrink.evaluate.probes import Answer, Refused
from edgeshrink.evaluate.slices import notes
from edgeshrink.evaluate.slices.interface import Item, Score, Settings, SliceFacts
from edgeshrink.evaluate.slices.options import whole
from edgeshrink.evaluate.slices.rights import RIGHT, task_score, words

NAME = "recall"
OPTIONS = ("others",)
SLICE = "long-context/recall"
_OTHERS = 5
_MOST_OTHERS = 40
_DEPTHS = (0, 25, 50, 75)


def slices(settings: Settings) -> tuple[SliceFacts, ...]:
    chance = 1 / (1 + _others(settings))
    return (SliceFacts(SLICE, "Recall of a fact in a long text", (RIGHT,), chance),)


def why_not(settings: Settings) -> str:
    return ""


def _others(settings: Settings) -> int:
    return whole(settings, NAME, "others", _OTHERS, 0, _MOST_OTHERS)


def items(settings: Settings, random: Random, count: int) -> Iterator[Item]:
    others = _others(settings)
    for number in range(count):
        note = notes.draw(random, others)
        characters, long = notes.length(random, settings)
        before = random.random()
        text = notes.filling(random, characters, [note.text], [before, 1 - before])
        depth = max(depth for depth in _DEPTHS if depth <= 100 * before)
        yield Item(
            f"{number}",
            (notes.probe(settings, f"{text}\n{notes.question(settings, note.asked[0])}"),),
            {
                "expected": note.answer,
                "oracle": [note.answer],
                "value": note.asked[1],
                "wrong": note.wrong,
                "parts": [f"depth {depth}-{depth + 25} %", f"length {long}"],
            },
        )


def score(item: Item, reference: Sequence[Answer], candidate: Sequence[Answer]) -> Iterator[Score]:
    """Nothing where the reference could not be asked: that says nothing about the candidate."""
    if isinstance(reference[0], Refused):
        return
    answers = (reference[0], candidate[0])
    right = (_right(item, answers[0]), _right(item, answers[1]))
    yield task_score(SLICE, item, answers, right, parts=item.facts["parts"])


def _right(item: Item, answer: Answer) -> bool:
    return notes.is_right(words(answer), item.facts["value"], item.facts["wrong"])
