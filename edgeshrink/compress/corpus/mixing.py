"""Documents of several sources in one stream: each source in proportion to its size, then shuffled in a buffer."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")
BUFFER_BYTES = 32 << 20
"""Of text that waits to be drawn."""


def interleaved(streams: Sequence[Iterator[T]], totals: Sequence[float], size: Callable[[T], float]) -> Iterator[T]:
    """Next is always the stream of which the smallest share has gone by; `totals`: the sizes that they will have."""
    waiting = [(0.0, place) for place in range(len(streams))]
    gone = [0.0] * len(streams)
    while waiting:
        _, place = heapq.heappop(waiting)
        for entry in streams[place]:
            gone[place] += size(entry)
            heapq.heappush(waiting, (gone[place] / max(totals[place], 1.0), place))
            yield entry
            break


def shuffled(entries: Iterable[T], size: Callable[[T], int], seed: int, *, limit: int = BUFFER_BYTES) -> Iterator[T]:
    """Each entry waits in a buffer of at most `limit` (and one entry) until it is drawn at random."""
    random = Random(seed)
    waiting: list[T] = []
    held = 0
    for entry in entries:
        waiting.append(entry)
        held += size(entry)
        while held > limit:
            drawn = _draw(waiting, random)
            held -= size(drawn)
            yield drawn
    while waiting:
        yield _draw(waiting, random)


def _draw(waiting: list[T], random: Random) -> T:
    place = random.randrange(len(waiting))
    waiting[place], waiting[-1] = waiting[-1], waiting[place]
    return waiting.pop()
