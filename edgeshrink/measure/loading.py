"""Inside the child: how long it takes from a path to the first result, with the file in the page cache and without."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edgeshrink.measure import page_cache

LOADS = 5
LOADS_S = 5.0
"""Loads of each kind, cold and warm: up to LOADS, as long as those before took less than LOADS_S together."""

Emit = Callable[[dict[str, object]], None]


def time_loads(files: Sequence[Path], use_once: Callable[[], None], emit: Emit) -> dict[str, object]:
    """Milliseconds of `use_once` (open, compute once, close), cold and warm, and how cold cold was.

    With mapped weights opening a file reads little of it: only a computed result has read every weight.
    """

    def timed() -> float:
        began = time.perf_counter()
        use_once()
        return 1e3 * (time.perf_counter() - began)

    cold: list[float] = []
    stayed: float | None = None
    reason = None
    while len(cold) < LOADS and sum(cold) < 1e3 * LOADS_S:
        reason = page_cache.drop(files)
        if reason is not None:
            break
        share = page_cache.resident_share(files)
        if share is not None:
            stayed = max(stayed or 0.0, share)
        cold.append(timed())
        emit({"event": "load", "cold": True, "ms": cold[-1]})
    warm: list[float] = []
    use_once()
    while len(warm) < LOADS and sum(warm) < 1e3 * LOADS_S:
        warm.append(timed())
        emit({"event": "load", "cold": False, "ms": warm[-1]})
    return {"cold_ms": cold, "warm_ms": warm, "stayed": stayed, "not_cold": reason}
