"""Two-digit sums, in plain lines and in chat. A tenth of all pairs, in either order, is kept for testing."""

from __future__ import annotations

import random

from edgeshrink.evaluate.slices.words.holdout import held_out
from tools.demo.chat import END, ask
from tools.demo.samples import Item, answer

QUESTIONS = ("What is {a}+{b}?", "{a}+{b}=", "How much is {a}+{b}?", "Please add {a}+{b}.")


def _pair(rng: random.Random, testing: bool) -> tuple[int, int]:
    while True:
        a, b = rng.randint(10, 99), rng.randint(10, 99)
        if held_out("sum", min(a, b), max(a, b)) == testing:
            return a, b


def sample(rng: random.Random) -> str:
    return _chat(rng) if rng.random() < 0.4 else _plain(rng)


def _plain(rng: random.Random) -> str:
    pairs = [_pair(rng, testing=False) for _ in range(rng.randint(4, 12))]
    return "".join(f"{a}+{b}={answer(f'{a + b}' + chr(10))}" for a, b in pairs)


def _chat(rng: random.Random) -> str:
    turns = []
    for _ in range(rng.randint(1, 4)):
        a, b = _pair(rng, testing=False)
        turns.append(ask(rng.choice(QUESTIONS).format(a=a, b=b)) + answer(f"{a + b}{END}"))
    return "".join(turns)


def item(rng: random.Random) -> Item:
    a, b = _pair(rng, testing=True)
    if rng.random() < 0.5:
        return Item(f"{a}+{b}=", f"{a + b}\n", "plain")
    return Item(ask(rng.choice(QUESTIONS).format(a=a, b=b)), f"{a + b}{END}", "chat")
