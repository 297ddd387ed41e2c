"""Notes of who has what, strewn into book text: what recall and grounding ask about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from edgeshrink.evaluate.probes import Generate, Prompt
from edgeshrink.evaluate.slices.interface import Settings
from edgeshrink.evaluate.slices.rights import user
from edgeshrink.evaluate.slices.words.filler import passage
from edgeshrink.evaluate.slices.words.recall_words import ASK, NAMES, TELL, Pair, paired_value, told

LENGTHS = (0.125, 0.25, 0.5, 1.0)
"""Of a text, as shares of what fits the context."""
MAX_TOKENS = 32
_OVERHEAD = 80
"""Characters of the question, the answer and the template."""


@dataclass(frozen=True, slots=True)
class Note:
    """`pairs` in the order told; `asked` is the one that is asked for."""

    pairs: tuple[Pair, ...]
    asked: Pair

    @property
    def text(self) -> str:
        return told(self.pairs)

    @property
    def answer(self) -> str:
        return TELL.format(key=self.asked[0], value=self.asked[1])

    @property
    def wrong(self) -> list[str]:
        """Values of the pairs that are not asked for."""
        return [value for key, value in self.pairs if key != self.asked[0]]


def draw(random: Random, others: int) -> Note:
    """All keys differ, and all values. The pair asked for is one that is kept for testing, and is not told last where
    there are others: what stands last needs no recall, and it is the one place where the demo model often fails."""
    key, *keys = random.sample(NAMES, others + 1)
    asked = (key, paired_value(random, key, testing=True))
    pairs: list[Pair] = []
    for other in keys:
        pairs.append((other, unused_value(random, other, [asked, *pairs])))
    return _arranged(random, pairs, asked)


def told_anew(random: Random, note: Note) -> Note:
    """The same pairs in another order that `draw` may give; with fewer than three there is none."""
    others = [pair for pair in note.pairs if pair != note.asked]
    anew = note
    while anew == note and len(others) > 1:
        anew = _arranged(random, others, note.asked)
    return anew


def _arranged(random: Random, others: Sequence[Pair], asked: Pair) -> Note:
    pairs = random.sample(others, len(others))
    pairs.insert(random.randrange(max(1, len(pairs))), asked)
    return Note(tuple(pairs), asked)


def unused_value(random: Random, key: str, pairs: Sequence[Pair]) -> str:
    """A value for `key` that none of `pairs` has."""
    used = {value for _, value in pairs}
    while (value := paired_value(random, key, testing=False)) in used:
        pass
    return value


def length(random: Random, settings: Settings) -> tuple[int, str]:
    """Characters of a whole text, and the name of the part that it counts in."""
    share = random.choice(LENGTHS)
    return int(share * settings.characters), f"{round(share * 0.85 * settings.context)} tokens"


def filling(random: Random, characters: int, texts: Sequence[str], shares: Sequence[float]) -> str:
    """`texts`, with book text before, between and behind them so that all have about `characters`; `shares`
    say how much of it goes to each place."""
    room = max(0, characters - sum(map(len, texts)) - _OVERHEAD)
    pieces: list[str] = []
    for index, share in enumerate(shares):
        if text := passage(random, int(share * room)):
            pieces.append(text)
        if index < len(texts):
            pieces.append(texts[index])
    return "\n".join(pieces)


def question(settings: Settings, key: str, words: str = ASK) -> str:
    """The last line: `words`, or without a chat the sentence to go on with."""
    return words.format(key=key) if settings.chat else f"Answer: {key} has the"


def probe(settings: Settings, text: str) -> Generate:
    """Asks with `text`, which ends with a question."""
    if settings.chat:
        return Generate(Prompt((user(text),)), MAX_TOKENS, (".",))
    return Generate(Prompt(text=text), MAX_TOKENS, (".", "\n"))


def names(text: str, value: str) -> bool:
    """Whether the answer names this value, as a word."""
    return re.search(rf"\b{re.escape(value)}\b", text, re.IGNORECASE) is not None


def is_right(text: str, value: str, wrong: Sequence[str]) -> bool:
    """Whether it names the value asked for and none of the others that the text told."""
    return names(text, value) and not any(names(text, other) for other in wrong)
