"""Whether a text that a model is judged by stands in one that it was calibrated or trained on: shared runs of words.

A model that has seen its examination looks better than it is. Only the text that is asked is held in memory; the one
that was seen goes by once, so it may be of any length.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence

from edgeshrink.catalog.texts import Text
from edgeshrink.core.plain import plain
from edgeshrink.errors import DataError

WORDS = 13  # the n-gram by which GPT-3's authors looked for test text in training text (arXiv:2005.14165, appendix C)
FEWEST_WORDS = 8  # of an item that is shorter than WORDS: as there; "What is the time?" says nothing
LARGEST_SHARE = 0.02
_COMMON = 0.5  # of the items: what so many share is their template, not what they ask
_SHOWN = 60  # characters
# Chinese and Japanese put no space between words: each of their signs counts as one.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")

Run = tuple[str, ...]


def refuse_overlap(seen: Text, asked: Text) -> None:
    """DataError where the two share runs of WORDS words: more than LARGEST_SHARE of those of the shorter one."""
    runs = set(_runs(asked.text, WORDS))
    found, there = _shared(runs, seen.text, WORDS)
    shared = len(found)
    if shared and shared / min(len(runs), there) > LARGEST_SHARE:
        raise DataError(
            f"{plain(seen.name)} holds {shared} of the {len(runs)} runs of {WORDS} words of {plain(asked.name)}:"
            " what is calibrated with would also be evaluated with",
            hint=f"take those passages out of {plain(seen.name)}",
        )


def refuse_items(seen: Text, name: str, items: Iterable[str]) -> None:
    """DataError where more than LARGEST_SHARE of `items` stand in `seen`: one that shares a run of WORDS words with it
    (all its words, where it has fewer, but at least FEWEST_WORDS). Runs that most items share are not counted.
    """
    asked = tuple(items)
    counts: Counter[Run] = Counter()
    for item in asked:
        counts.update(set(_item_runs(item)))
    template = {run for run, count in counts.items() if len(asked) > 1 and count > max(1, _COMMON * len(asked))}
    own = set(counts) - template
    shared: set[Run] = set()
    for length in sorted({len(run) for run in own}):
        shared |= _shared({run for run in own if len(run) == length}, seen.text, length)[0]
    found = [item for item in asked if not shared.isdisjoint(_item_runs(item))]
    if asked and len(found) / len(asked) > LARGEST_SHARE:
        first = plain(found[0])
        raise DataError(
            f"{len(found)} of the {len(asked)} items of {plain(name)} stand in {plain(seen.name)} too, the first:"
            f" {first[:_SHOWN] + '...' if len(first) > _SHOWN else first}",
            hint=f"take them out of {plain(seen.name)}, or ask other items: a model that has seen its examination looks"
            " better than it is",
        )


def _item_runs(item: str) -> Iterator[Run]:
    length = min(WORDS, len(_words_of(item)))
    return _runs(item, length) if length >= FEWEST_WORDS else iter(())


def _shared(asked: set[Run], seen: str, length: int) -> tuple[set[Run], int]:
    """Those of `asked` that stand in `seen`, and how many runs `seen` has."""
    found, there = set(), 0
    for run in _runs(seen, length):
        there += 1
        if run in asked:
            found.add(run)
    return found, there


def _runs(text: str, length: int) -> Iterator[Run]:
    window: deque[str] = deque(maxlen=length)
    for match in _WORD.finditer(text.casefold()):
        window.append(match.group())
        if len(window) == length:
            yield tuple(window)


def _words_of(text: str) -> Sequence[str]:
    return _WORD.findall(text.casefold())
