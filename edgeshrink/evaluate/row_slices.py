"""Work on many rows of logits, some at a time: what is at hand stays in the cache, and threads share the rest."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

ELEMENTS = 1 << 19  # 4 MiB of float64


def in_slices(work: Callable[[slice], Result], rows: int, columns: int, *, threads: int, elements: int) -> list[Result]:
    """`work` of each piece of `rows` rows, in order; numpy gives way to other threads while it computes."""
    step = max(1, elements // columns)
    pieces = [slice(start, start + step) for start in range(0, rows, step)]
    if threads < 2 or len(pieces) < 2:
        return [work(piece) for piece in pieces]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, pieces))
