"""A child's events as progress."""

from __future__ import annotations

from collections.abc import Callable

from edgeshrink.core.events import Listener, Progress


def forward(listener: Listener, task: str, *, unit: str = "") -> Callable[[dict[str, object]], None]:
    """An `on_event` for `run_job`: what the child tells of `task` goes to `listener`.

    {"stage": name} begins the stage "task: name"; {"done": number, "total": number} is how far it is, or the whole
    task where no stage has begun, counted in the event's own "unit" or else in `unit`.
    """
    now = task

    def on_event(event: dict[str, object]) -> None:
        nonlocal now
        stage, done, total = event.get("stage"), event.get("done"), event.get("total")
        if isinstance(stage, str):
            now = f"{task}: {stage}"
        if isinstance(done, int | float) and isinstance(total, int | float):
            listener(Progress(now, done, total, str(event.get("unit") or unit)))
        elif isinstance(stage, str):
            listener(Progress(now, 0, 0))

    return on_event
