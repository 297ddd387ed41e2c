"""Wait until a device is cool enough to be measured."""

from __future__ import annotations

import time
from collections.abc import Callable

from edgeshrink.core.events import Listener, Progress
from edgeshrink.core.reading import Measured, Reading
from edgeshrink.core.session import CoolDown

LONGEST_S = 900.0
"""A device that is not cool by then stays as warm: its room is, or something else runs on it."""
_LOOK_EVERY_S = 3.0


def cool_down(
    wish: CoolDown,
    temperature: Callable[[], Reading],
    listener: Listener,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[str, ...]:
    """Wait as `wish` says; with both a temperature and a time, until the first of them comes.

    `temperature` is that of the hottest sensor now. Returns what a reader must know: how long it took, or that the
    device did not get there.
    """
    if wish.celsius is None and wish.seconds is None:
        return ()
    began = clock()
    limit = LONGEST_S if wish.seconds is None else wish.seconds
    seen: Reading | None = None
    while True:
        waited = clock() - began
        if wish.celsius is not None:
            seen = temperature()
            if not isinstance(seen, Measured):
                if wish.seconds is None:
                    return (f"it was not cooled down to {wish.celsius:g} °C: {seen.reason}",)
            elif seen.value <= wish.celsius:
                return (f"cooled down to {seen.value:.0f} °C in {waited:.0f} s",)
        if waited >= limit:
            break
        now = f"cool down ({seen.value:.0f} °C)" if isinstance(seen, Measured) else "cool down"
        listener(Progress(now, waited, limit, "s"))
        sleep(min(_LOOK_EVERY_S, limit - waited))
    if isinstance(seen, Measured):
        return (f"it did not cool down to {wish.celsius:g} °C: {seen.value:.0f} °C after {limit:.0f} s",)
    return (f"waited {limit:.0f} s to cool down; {seen.reason}" if seen else f"waited {limit:.0f} s to cool down",)
