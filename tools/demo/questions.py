"""The test questions, the same at every measurement: held-out pairs, sums and phrases over held-out book text."""

from __future__ import annotations

import random

from tools.demo.books import Library
from tools.demo.samples import Item
from tools.demo.skills import recall, sums, tool_decision


def questions(heldout: Library, count: int, recalls: int, seed: int) -> dict[str, list[Item]]:
    """So many items of each skill, so many pairs of near misses, and `recalls` items of recall."""
    rng = random.Random(f"test/{seed}")
    pairs = [tool_decision.near_miss_pair(rng) for _ in range(count)]
    return {
        "recall": [recall.item(rng, heldout) for _ in range(recalls)],
        "sums": [sums.item(rng) for _ in range(count)],
        "tools": [tool_decision.item(rng) for _ in range(count)],
        "near_miss": [item for pair in pairs for item in pair],
    }
