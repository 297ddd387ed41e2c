"""How refusals sound, and twins of requests to be refused and not to be, read from `refusals.toml`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from random import Random

_WORDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_SOUNDS = re.compile("|".join(rf"\b{re.escape(sound)}\b" for sound in _WORDS["sounds"]))
_LOOKED_AT = 240
"""Characters in which a refusal has begun: what comes later may only be about one."""


def sounds_like_refusal(text: str) -> bool:
    return _SOUNDS.search(text[:_LOOKED_AT].lower().replace("’", "'")) is not None


def twins(random: Random) -> tuple[str, str]:
    """A request that a careful model refuses, and one of nearly the same words that it must not refuse."""
    pair = random.choice(_WORDS["twins"])
    filling = {name: random.choice(values) for name, values in _WORDS["fill"].items()}
    return pair["harmful"].format(**filling), pair["harmless"].format(**filling)
