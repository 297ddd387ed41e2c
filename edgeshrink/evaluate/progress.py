"""A child's events as progress."""

from __future__ import annotations

from collections.abc import Callable

from edgeshrink.core.events import Listener, Progress


def forward(listener: Listener, task: str) -> Callable[[dict[str, object]], None]:
    """Turn events with `done` and `total` tokens into Progress of `task`."""

    def on_event(event: dict[str, object]) -> None:
        done, total = event.get("done"), event.get("total")
        if isinstance(done, int) and isinstance(total, int):
            listener(Progress(task, done, total, "tokens"))

    return on_event
