"""A sensor whose reading changes while a program runs, and whose true integral is known."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence


class SteppingSensor:
    """Writes one value after the other, each for its time, round and round, from `with` to its end.

    `truth` is made of the moments at which the writes had really been done, on the device's own clock: sleeping a
    little too long is no error.
    """

    def __init__(self, write: Callable[[float], None], steps: Sequence[tuple[float, float]]) -> None:
        """`steps`: (seconds, value); `write(value)` puts a value where the device shows it."""
        self._write = write
        self._steps = tuple(steps)
        self._done = threading.Event()
        self._shown: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._run, name="lab sensor", daemon=True)

    def __enter__(self) -> SteppingSensor:
        self._show(self._steps[0][1])
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def truth(self, start: float, end: float) -> float:
        """The integral of the value over [start, end], seconds of CLOCK_BOOTTIME, within the time it ran."""
        shown = [*self._shown, (float("inf"), 0.0)]
        return sum(
            value * max(0.0, min(until, end) - max(since, start))
            for (since, value), (until, _) in itertools.pairwise(shown)
        )

    def _run(self) -> None:
        for seconds, value in itertools.cycle(self._steps[1:] + self._steps[:1]):
            if self._done.wait(seconds):
                return
            self._show(value)

    def _show(self, value: float) -> None:
        self._write(value)
        self._shown.append((time.clock_gettime(time.CLOCK_BOOTTIME), value))
