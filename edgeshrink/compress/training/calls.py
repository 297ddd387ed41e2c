"""How the first worker calls the others to a job: numbered messages in the store that torchrun's agent keeps.

The first worker's command may run several jobs, or none; the others know of nothing but these calls. No torch.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from edgeshrink.compress.training.torchrun import Place

_POLL_S = 0.1


def publish(store: Any, place: Place, call: Mapping[str, Any] | None) -> int:
    """Call all other workers; None sends them home. The number of the call, from 1."""
    number = int(store.add(f"edgeshrink/{place.restart}/calls", 1))
    store.set(_key(place, number), json.dumps(call))
    return number


def wait(store: Any, place: Place, number: int, *, over: Callable[[], bool]) -> dict[str, Any] | None:
    """Call `number`, once it comes; None: go home, or it is `over`. An exception where the agent has ended, and so has
    the whole run."""
    key = _key(place, number)
    while not store.check([key]):
        if over():
            return None
        time.sleep(_POLL_S)
    found: dict[str, Any] | None = json.loads(store.get(key))
    return found


def _key(place: Place, number: int) -> str:
    return f"edgeshrink/{place.restart}/call/{number}"
