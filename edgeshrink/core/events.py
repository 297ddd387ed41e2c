"""Progress, as values: rooms emit it, the command line draws it, `--json` and non-terminals ignore it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """`task` at `done` of `total` (0: unknown), in `unit` ("bytes", "tokens", "sessions")."""

    task: str
    done: float
    total: float
    unit: str = ""


Listener = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """The listener of someone who does not watch."""
