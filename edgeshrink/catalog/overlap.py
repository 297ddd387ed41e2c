"""Whether a text that a model is judged by stands in one that it was calibrated or trained on: shared runs of words.

A model that has seen its examination looks better than it is. Only what is asked is held in memory; what was seen goes
by once, document after document, so it may be of any length.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgeshrink.catalog.texts import Text
from edgeshrink.core.plain import plain
from edgeshrink.errors import DataError

WORDS = 13  # the n-gram by which GPT-3's authors looked for test text in training text (arXiv:2005.14165, appendix C)
FEWEST_WORDS = 8  # of an item that is shorter than WORDS: as there; "What is the time?" says nothing
LARGEST_SHARE = 0.02
_COMMON = 0.5  # of the items: what so many share is their template, not what they ask
_SHOWN = 60  # characters
_AT_ONCE = 1 << 16  # words whose runs are compared at once
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so no power of it loses a bit; the golden ratio's
# Chinese and Japanese put no space between words: each of their signs counts as one.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")

Run = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """What is asked one by one, from the file or set `name`: the whole of each question and its answer."""

    name: str
    items: tuple[str, ...] = field(repr=False)


@dataclass(slots=True)
class _Seen:
    """What one file held: runs that it has (by length), and those that are asked, with the first of each kind."""

    runs: int = 0
    found: set[Run] = field(default_factory=set)


class Watch:
    """Looks for `texts` and `items` in documents that go by. Memory: theirs, and what is found of them.

    A run of words that a document shares with them is looked for within that document; what is refused is counted for
    each `name` (a file) and for all together.
    """

    def __init__(self, texts: Sequence[Text] = (), items: Sequence[Items] = ()) -> None:
        self._texts = tuple((text, frozenset(_runs(_words_of(text.text), WORDS))) for text in texts)
        self._items = tuple((asked, _own_runs(asked.items)) for asked in items)
        wanted: set[Run] = set()
        wanted.update(*(runs for _, runs in self._texts), *(runs for _, runs in self._items))
        self._wanted = {length: _Index(runs) for length, runs in _by_length(wanted).items()}
        self._seen: dict[str, _Seen] = {}

    def see(self, name: str, document: str) -> None:
        """A document of the file `name`."""
        words = _words_of(document)
        seen = self._seen.setdefault(name, _Seen())
        seen.runs += max(0, len(words) - WORDS + 1)
        if self._wanted and len(words) >= min(self._wanted):
            for index in self._wanted.values():
                seen.found.update(index.found(words))

    def refuse(self) -> None:
        """DataError where a text shares more than LARGEST_SHARE of its runs (or of the file's, where that has fewer)
        with what went by, or more than LARGEST_SHARE of the items stand in it. It names the file and a passage."""
        for name, seen in self._together():
            for text, runs in self._texts:
                _refuse_text(name, text, runs, seen)
            for asked, runs in self._items:
                _refuse_items(name, asked, runs, seen)

    def _together(self) -> Iterator[tuple[str, _Seen]]:
        yield from self._seen.items()
        if len(self._seen) > 1:
            found = set().union(*(seen.found for seen in self._seen.values()))
            names = [name for name, seen in self._seen.items() if seen.found]
            yield ", ".join(names[:3]), _Seen(sum(seen.runs for seen in self._seen.values()), found)


def refuse_overlap(seen: Text, asked: Text) -> None:
    """DataError where the two share runs of WORDS words: more than LARGEST_SHARE of those of the shorter one."""
    watch = Watch((asked,))
    watch.see(seen.name, seen.text)
    watch.refuse()


def refuse_items(seen: Text, name: str, items: Iterable[str]) -> None:
    """DataError where more than LARGEST_SHARE of `items` stand in `seen`: one that shares a run of WORDS words with it
    (all its words, where it has fewer, but at least FEWEST_WORDS). Runs that most items share are not counted.
    """
    watch = Watch((), (Items(name, tuple(items)),))
    watch.see(seen.name, seen.text)
    watch.refuse()


def _refuse_text(name: str, asked: Text, runs: frozenset[Run], seen: _Seen) -> None:
    shared = runs & seen.found
    if shared and len(shared) / min(len(runs), seen.runs) > LARGEST_SHARE:
        first = next(run for run in _runs(_words_of(asked.text), WORDS) if run in shared)
        raise DataError(
            f"{plain(name)} holds {len(shared)} of the {len(runs)} runs of {WORDS} words of {plain(asked.name)}, the"
            f" first: {plain(' '.join(first))}: what is learned from would also be evaluated with",
            hint=f"take those passages out of {plain(name)}",
        )


def _refuse_items(name: str, asked: Items, runs: frozenset[Run], seen: _Seen) -> None:
    shared = runs & seen.found
    found = [item for item in asked.items if not shared.isdisjoint(_item_runs(item))] if shared else []
    if found and len(found) / len(asked.items) > LARGEST_SHARE:
        first = plain(found[0])
        raise DataError(
            f"{len(found)} of the {len(asked.items)} items of {plain(asked.name)} stand in {plain(name)} too, the"
            f" first: {first[:_SHOWN] + '...' if len(first) > _SHOWN else first}",
            hint=f"take them out of {plain(name)}, or ask other items: a model that has seen its examination looks"
            " better than it is",
        )


def _own_runs(items: Sequence[str]) -> frozenset[Run]:
    """Runs of the items but for those of their template."""
    counts: Counter[Run] = Counter()
    for item in items:
        counts.update(set(_item_runs(item)))
    return frozenset(
        run for run, count in counts.items() if not (len(items) > 1 and count > max(1, _COMMON * len(items)))
    )


def _item_runs(item: str) -> Iterator[Run]:
    words = _words_of(item)
    length = min(WORDS, len(words))
    return _runs(words, length) if length >= FEWEST_WORDS else iter(())


def _by_length(runs: Iterable[Run]) -> Mapping[int, set[Run]]:
    found: dict[int, set[Run]] = {}
    for run in runs:
        found.setdefault(len(run), set()).add(run)
    return found


class _Index:
    """Runs of one length, looked for by a rolling hash of their words; every hit is compared with the words."""

    def __init__(self, runs: set[Run]) -> None:
        self._runs = runs
        self._length = len(next(iter(runs)))
        numbers = _numbers(chain.from_iterable(runs), len(runs) * self._length)
        self._sums = np.unique(_sums(numbers.reshape(len(runs), self._length).T))

    def found(self, words: Sequence[str]) -> Iterator[Run]:
        for start in range(0, len(words) - self._length + 1, _AT_ONCE):
            piece = words[start : start + _AT_ONCE + self._length - 1]
            sums = _sums(sliding_window_view(_numbers(piece, len(piece)), len(piece) - self._length + 1))
            places = np.searchsorted(self._sums, sums)
            places[places == len(self._sums)] = 0
            for place in np.flatnonzero(self._sums[places] == sums).tolist():
                run = tuple(piece[place : place + self._length])
                if run in self._runs:
                    yield run


def _numbers(words: Iterable[str], count: int) -> NDArray[np.uint64]:
    """One for each of `count` words: the same for the same word in this process."""
    return np.fromiter(map(hash, words), np.int64, count).view(np.uint64)


def _sums(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Of runs: `numbers` (length, runs) are those of their words, the first words first; (runs,)."""
    sums = np.zeros(numbers.shape[1], np.uint64)
    for row in numbers:
        sums = sums * _FACTOR + row
    return sums


def _runs(words: Sequence[str], length: int) -> Iterator[Run]:
    return (tuple(words[place : place + length]) for place in range(len(words) - length + 1))


def _words_of(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
