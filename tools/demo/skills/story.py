"""Continuing a story, asked for in chat, in the language of the story."""

from __future__ import annotations

import random

from tools.demo.books import LANGUAGES, Library
from tools.demo.chat import END, ask

REQUESTS = {
    "en": "Continue the story:",
    "de": "Erzähle die Geschichte weiter:",
    "es": "Continúa la historia:",
    "fr": "Continue l'histoire :",
    "it": "Continua la storia:",
}


def sample(rng: random.Random, library: Library, length: int) -> str:
    """One sample of at most about `length` tokens."""
    language = rng.choice(LANGUAGES)
    passage = library.passage(rng, rng.randint(length, 3 * length - 60), language)
    middle = passage.find(" ", len(passage) // 3)
    return ask(f"{REQUESTS[language]} {passage[:middle]}") + passage[middle + 1 :] + END
