"""Which items are the same question: their ids end with a digest of it, whatever number a round gave them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from edgeshrink.evaluate.probe_lines import probes_line
from edgeshrink.evaluate.slices.interface import Item

_MARK = "~"
_DIGITS = 12


def identified(item: Item) -> Item:
    """`item` with a digest behind its id, of what it asks and of what is expected."""
    told = probes_line("", item.probes) + json.dumps(item.facts.get("expected"), sort_keys=True)
    return replace(item, id=f"{item.id}{_MARK}{hashlib.sha256(told.encode()).hexdigest()[:_DIGITS]}")


def question(item_id: str) -> str:
    """The digest in an id that `identified` made; an id without one stands for itself."""
    return item_id.rpartition(_MARK)[2]
