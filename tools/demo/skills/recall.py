"""Recalling a value that was paired with a key further back, over pairs of other keys or over pages of a book.

Pairs are drawn anew for every sample, so the answer can only come from the context. One pair in ten is kept for
testing. Repeated word lists, the plainest copying task, help the copying heads to form (Olsson et al. 2022,
arXiv:2209.11895).
"""

from __future__ import annotations

import random

from edgeshrink.evaluate.slices.words.recall_words import ASK, NAMES, TELL, THINGS, Pair, paired_value, told
from tools.demo.books import Library
from tools.demo.chat import END, ask
from tools.demo.samples import Item, answer

MIXES = {64: (6, 3, 1, 1, 1, 0), 128: (1, 2, 3, 4, 3, 2), 512: (1, 1, 0, 2, 3, 9)}
"""Up to which length how often each kind of sample comes, easiest kind first: short rows teach copying, long rows
teach distance."""
CHARACTERS_PER_TOKEN = 3
"""Of book text, about; only to aim at a length."""


def _pairs(rng: random.Random, count: int, keys: tuple[str, ...] = NAMES) -> list[Pair]:
    """So many training pairs, no key twice."""
    return [(key, paired_value(rng, key, testing=False)) for key in rng.sample(keys, count)]


def _asked(pairs: list[Pair]) -> str:
    return "\nAnswer: " + " ".join(f"{key} has the {answer(value)}." for key, value in pairs) + "\n"


def sample(rng: random.Random, library: Library, length: int) -> str:
    """One sample of at most about `length` tokens."""
    weights = next(weights for limit, weights in MIXES.items() if length <= limit)
    makers = (_repeated_words, _adjacent_pairs, _pair_lines, _told_twice, _asked_in_chat, _across_book_text)
    return rng.choices(makers, weights)[0](rng, library, length)


def _repeated_words(rng: random.Random, _: Library, length: int) -> str:
    words = "".join(f" {word}" for word in rng.sample(NAMES + THINGS, rng.randint(4, min(50, length // 3))))
    times = rng.randint(1, 3)
    return words + answer(words * times)


def _adjacent_pairs(rng: random.Random, _: Library, length: int) -> str:
    """Keys with their value right behind; what is told and what is asked look alike."""
    pairs = _pairs(rng, rng.randint(3, min(20, length // 8)))
    told = "".join(f" {key} {value}," for key, value in pairs)
    return told + "".join(f" {key}{answer(f' {value}')}," for key, value in rng.choices(pairs, k=2 * len(pairs)))


def _pair_lines(rng: random.Random, _: Library, length: int) -> str:
    pairs = _pairs(rng, rng.randint(3, min(24, length // 12)), NAMES if rng.random() < 0.5 else THINGS)
    told = "".join(f"{key}: {value}\n" for key, value in pairs)
    asked = "".join(f"{key}: {answer(value + chr(10))}" for key, value in rng.sample(pairs, len(pairs)))
    return told + "\n" + asked


def _told_twice(rng: random.Random, _: Library, length: int) -> str:
    pairs = _pairs(rng, rng.randint(2, min(20, length // 12)))
    return told(pairs) + _asked(rng.sample(pairs, len(pairs)))


def _asked_in_chat(rng: random.Random, _: Library, length: int) -> str:
    pairs = _pairs(rng, rng.randint(2, min(24, length // 18)))
    asked = rng.sample(pairs, rng.randint(1, min(len(pairs), 8)))
    return _chat(told(pairs), asked)


def _chat(story: str, asked: list[Pair]) -> str:
    """A story, then one question a turn; the first stands in the story's own turn."""
    questions = [ASK.format(key=key) for key, _ in asked]
    questions[0] = f"{story}\n{questions[0]}"
    return "".join(
        ask(question) + answer(TELL.format(key=key, value=value) + END)
        for question, (key, value) in zip(questions, asked, strict=True)
    )


def _across_book_text(rng: random.Random, library: Library, length: int) -> str:
    """Pairs told at once, then book text, then each pair asked for; now and then book text comes first as well."""
    pairs = _pairs(rng, rng.randint(1, max(6, length // 32)))
    room = max(60, CHARACTERS_PER_TOKEN * (length - 16 * len(pairs)) - 60)
    story = f"{told(pairs)}\n{library.passage(rng, rng.randint(20, room))}"
    if rng.random() < 0.3:
        story = f"{library.passage(rng, rng.randint(20, room // 2))}\n{story}"
    asked = rng.sample(pairs, len(pairs))
    if rng.random() < 0.5:
        return _chat(story, asked)
    return story + _asked(asked)


def item(rng: random.Random, library: Library) -> Item:
    """A held-out pair, told in the first sentence, asked for once behind other pairs and book text."""
    distance = rng.choice((20, 40, 75, 110, 150, 180, 220, 260, 300, 350))
    key = rng.choice(NAMES)
    value = paired_value(rng, key, testing=True)
    others = [pair for pair in _pairs(rng, 4) if pair[0] != key][: rng.randint(0, 3)]
    room = max(8, CHARACTERS_PER_TOKEN * (distance - 5 * len(others)) - 30)
    story = f"{told([(key, value), *others])}\n{library.passage(rng, room)}"
    if rng.random() < 0.5:
        return Item(f"{story}\nAnswer: {key} has the", f" {value}", "plain")
    return Item(ask(f"{story}\n{ASK.format(key=key)}"), TELL.format(key=key, value=value) + END, "chat")
