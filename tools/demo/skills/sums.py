"""Two-digit sums, in plain lines and in chat. A tenth of all pairs, in either order, is kept for testing."""

from __future__ import annotations

import random

from edgeshrink.evaluate.slices.arithmetic import QUESTIONS, draw
from tools.demo.chat import END, ask
from tools.demo.samples import Item, answer


def sample(rng: random.Random) -> str:
    return _chat(rng) if rng.random() < 0.4 else _plain(rng)


def _plain(rng: random.Random) -> str:
    pairs = [draw(rng, "+", 2, testing=False) for _ in range(rng.randint(4, 12))]
    return "".join(f"{a}+{b}={answer(f'{a + b}' + chr(10))}" for a, _, b in pairs)


def _chat(rng: random.Random) -> str:
    turns = []
    for _ in range(rng.randint(1, 4)):
        a, _, b = draw(rng, "+", 2, testing=False)
        turns.append(ask(rng.choice(QUESTIONS["+"]).format(a=a, b=b)) + answer(f"{a + b}{END}"))
    return "".join(turns)


def item(rng: random.Random) -> Item:
    a, _, b = draw(rng, "+", 2, testing=True)
    if rng.random() < 0.5:
        return Item(f"{a}+{b}=", f"{a + b}\n", "plain")
    return Item(ask(rng.choice(QUESTIONS["+"]).format(a=a, b=b)), f"{a + b}{END}", "chat")
