"""A question answered from the passage that says it, beside a passage that speaks of the same person and another thing.

The distractor stands now before and now behind the right passage, with book text between them. An answer taken from it
is counted apart: the model has not forgotten, it has mixed up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from edgeshrink.evaluate.probes import Answer, Refused
from edgeshrink.evaluate.slices import notes
from edgeshrink.evaluate.slices.interface import Item, MetricFacts, Score, Settings, SliceFacts
from edgeshrink.evaluate.slices.rights import RIGHT, task_score, words

NAME = "grounding"
OPTIONS: tuple[str, ...] = ()
SLICE = "long-context/grounding"
MISLED = MetricFacts("from the distractor", "share", better="lower")
SLICES = (SliceFacts(SLICE, "Answering from the right passage", (RIGHT, MISLED), chance=0.5),)
DISTRACTORS = (
    "Once {key} lost the {value}.",
    "Long ago {key} sold the {value}.",
    "Yesterday {key} broke the {value}.",
    "{key} looked for the {value} and did not find it.",
)
"""None of them says that `key` has `value` now."""
_OTHERS = 2
_SHARES = (0.2, 0.3, 0.5)
"""Of the book text: before, between and behind the passages."""


def slices(settings: Settings) -> tuple[SliceFacts, ...]:
    return SLICES


def why_not(settings: Settings) -> str:
    return ""


def items(settings: Settings, random: Random, count: int) -> Iterator[Item]:
    for number in range(count):
        note = notes.draw(random, _OTHERS)
        key, value = note.asked
        misleading = notes.unused_value(random, key, note.pairs)
        passages = [note.text, random.choice(DISTRACTORS).format(key=key, value=misleading)]
        order = "right passage first"
        if random.random() < 0.5:
            passages.reverse()
            order = "distractor first"
        characters, long = notes.length(random, settings)
        text = notes.filling(random, characters, passages, _SHARES)
        yield Item(
            f"{number}",
            (notes.probe(settings, f"{text}\n{notes.question(settings, key)}"),),
            {
                "expected": note.answer,
                "oracle": [note.answer],
                "value": value,
                "wrong": [misleading, *note.wrong],
                "misleading": misleading,
                "parts": [order, f"length {long}"],
            },
        )


def score(item: Item, reference: Sequence[Answer], candidate: Sequence[Answer]) -> Iterator[Score]:
    """Nothing where the reference could not be asked: that says nothing about the candidate."""
    if isinstance(reference[0], Refused):
        return
    answers = (reference[0], candidate[0])
    right = (_right(item, answers[0]), _right(item, answers[1]))
    misled = (_misled(item, answers[0]), _misled(item, answers[1]))
    yield task_score(SLICE, item, answers, right, parts=item.facts["parts"], more={MISLED.name: misled})


def _right(item: Item, answer: Answer) -> bool:
    return notes.is_right(words(answer), item.facts["value"], item.facts["wrong"])


def _misled(item: Item, answer: Answer) -> float:
    return float(notes.names(words(answer), item.facts["misleading"]))
