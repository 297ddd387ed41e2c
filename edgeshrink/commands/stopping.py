"""Being told to stop: Ctrl-C, the SIGTERM of a job that is called off, the SIGHUP of a terminal that is closed.

Each is a KeyboardInterrupt in the main thread, so that whatever was begun is cleaned up: on a device, too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows knows no SIGHUP
_AGAIN = "still cleaning up; once more ends it at once, and leaves things lying\n"


class Stopping:
    """The first signal interrupts. The second is ignored while what it began ends, the third kills."""

    def __init__(self) -> None:
        self.number = 0
        self._count = 0

    def __call__(self, number: int, _: FrameType | None) -> None:
        self._count += 1
        if self._count == 1:
            self.number = number
            raise KeyboardInterrupt
        if self._count == 2:
            with contextlib.suppress(OSError):  # the terminal may be gone
                os.write(2, _AGAIN.encode())
            return
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    @property
    def exit_code(self) -> int:
        """As shells have it: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + (self.number or signal.SIGINT)


@contextmanager
def stopping() -> Iterator[Stopping]:
    """Signals are handled so for the length of the block; one that is ignored (nohup) or another's stays as it is."""
    stop = Stopping()
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    if threading.current_thread() is not threading.main_thread():
        before = {}
    ours = {number: handler for number, handler in before.items() if handler in _USUAL}
    for number in ours:
        signal.signal(number, stop)
    try:
        yield stop
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)


_USUAL = (signal.SIG_DFL, signal.default_int_handler)
