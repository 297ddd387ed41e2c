"""Continuing a story, asked for in chat, in the language of the story."""

from __future__ import annotations

import random

from edgeshrink.evaluate.slices.words.story_requests import REQUESTS
from tools.demo.books import LANGUAGES, Library
from tools.demo.chat import END, ask


def sample(rng: random.Random, library: Library, length: int) -> str:
    """One sample of at most about `length` tokens."""
    language = rng.choice(LANGUAGES)
    passage = library.passage(rng, rng.randint(length, 3 * length - 60), language)
    middle = passage.find(" ", len(passage) // 3)
    return ask(f"{REQUESTS[language]} {passage[:middle]}") + passage[middle + 1 :] + END
