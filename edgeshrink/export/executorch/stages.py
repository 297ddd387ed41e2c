"""Which stage of an export runs, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Emit = Callable[[dict[str, object]], None]
Stages = dict[str, float]


@contextmanager
def timed(stages: Stages, name: str, emit: Emit) -> Iterator[None]:
    """Emit the stage's name, and add its seconds to `stages`."""
    emit({"stage": name})
    began = time.monotonic()
    yield
    stages[name] = round(stages.get(name, 0.0) + time.monotonic() - began, 3)
