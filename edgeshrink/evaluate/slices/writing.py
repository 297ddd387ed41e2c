"""Free writing: does the model begin to say the same thing again and again?

Passages of the shipped books in five languages are to be continued, greedily (where a model falls into a loop first)
and drawn at temperature 1 from the same seed (where one that has grown too sure of itself shows it). Repetition is the
share of 4-grams of words that stood in the text before (Welleck et al., ICLR 2020: seq-rep-4). A loop is a text whose
end says one piece three times or more.

Options: `tokens`, how long each text may get (default 48); `drawn`, how many are drawn beside the
greedy one (default 1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

from edgeshrink.evaluate.probes import Answer, Generate, Prompt, Refused, Said
from edgeshrink.evaluate.slices.interface import Item, MetricFacts, Score, Settings, Shown, SliceFacts
from edgeshrink.evaluate.slices.options import whole
from edgeshrink.evaluate.slices.rights import asked, seen, user
from edgeshrink.evaluate.slices.words.filler import book
from edgeshrink.evaluate.slices.words.story_requests import REQUESTS

NAME = "writing"
OPTIONS = ("tokens", "drawn")
SLICE = "stability/repetition"
REPEATED = MetricFacts("repeated 4-grams", "mean", better="lower")
LOOPS = MetricFacts("loops", "mean", better="lower")
_TOKENS, _DRAWN = 48, 1
_PASSAGE = 300
_GRAM = 4
_LOOP_TIMES, _LOOP_CHARACTERS = 3, 12
_LONGEST_PERIOD = 200
_ONCE = "Then a bell rang twice and everybody went home through the snow."


def slices(settings: Settings) -> tuple[SliceFacts, ...]:
    return (SliceFacts(SLICE, "Repetition and loops in free writing", (REPEATED, LOOPS)),)


def why_not(settings: Settings) -> str:
    return ""


def items(settings: Settings, random: Random, count: int) -> Iterator[Item]:
    tokens = whole(settings, NAME, "tokens", _TOKENS, 1, 100_000)
    drawn = whole(settings, NAME, "drawn", _DRAWN, 0, 100)
    room = settings.characters - int(tokens * settings.characters_per_token)
    for number in range(count):
        language = random.choice(sorted(REQUESTS))
        passage = _passage(random, language, max(_PASSAGE // 10, min(_PASSAGE, room)))
        words = f"{REQUESTS[language]} {passage}"
        prompt = Prompt(messages=(user(words),)) if settings.chat else Prompt(text=passage)
        greedy = Generate(prompt, tokens)
        others = [Generate(prompt, tokens, temperature=1.0, seed=random.getrandbits(31)) for _ in range(drawn)]
        probes = (greedy, *others)
        yield Item(f"{language} {number}", probes, {"part": language, "oracle": [_ONCE] * len(probes)})


def score(item: Item, reference: Sequence[Answer], candidate: Sequence[Answer]) -> Iterator[Score]:
    """Nothing where the reference could not be asked: that says nothing about the candidate."""
    if any(isinstance(answer, Refused) for answer in reference):
        return
    models = (reference, candidate)
    first, second = (_mean([_of(repeated, answer) for answer in answers]) for answers in models)
    third, fourth = (_mean([_of(loops, answer) for answer in answers]) for answers in models)
    told = ["\n---\n".join(map(seen, answers)) for answers in models]
    shown = Shown(asked(item), "a text that does not repeat itself", *told)
    values = {REPEATED.name: (first, second), LOOPS.name: (third, fourth)}
    yield Score(SLICE, item.id, values, shown, parts=(item.facts["part"],))


def _passage(random: Random, language: str, characters: int) -> str:
    """Whole words from the beginning of a word."""
    text = book(language)
    start = text.find(" ", random.randrange(len(text) - 2 * characters)) + 1
    piece = text[start : start + characters]
    return piece[: piece.rfind(" ")].strip()


def _of(measure: Callable[[str], float], answer: Answer) -> float:
    """No answer is as bad as one that only repeats itself."""
    return measure(answer.text) if isinstance(answer, Said) else 1.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def repeated(text: str) -> float:
    """Share of 4-grams of words that are not the first of their kind; 0 for a text too short to have two."""
    words = text.split()
    grams = [tuple(words[start : start + _GRAM]) for start in range(len(words) - _GRAM + 1)]
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0


def loops(text: str) -> float:
    """1.0 where the text ends in one piece said three times or more, over 12 characters or more, else 0.0."""
    text = text.rstrip()
    for period in range(1, min(_LONGEST_PERIOD, len(text) // _LOOP_TIMES) + 1):
        length = max(_LOOP_TIMES * period, _LOOP_CHARACTERS)
        end = text[-length:]
        if len(end) == length and end[period:] == end[:-period]:
            return 1.0
    return 0.0
