"""Progress, as values: rooms emit it, the command line draws it; with `--json` only notices are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """`task` at `done` of `total` (0: unknown), in `unit` ("bytes", "tokens", "sessions"; NOTICE: see `notice`)."""

    task: str
    done: float
    total: float
    unit: str = ""


Listener = Callable[[Progress], None]
NOTICE = "notice"


def notice(sentence: str) -> Progress:
    """What a person must get to read, whether or not they watch: something to do now, something that went wrong."""
    return Progress(sentence, 0, 0, NOTICE)


def silent(_: Progress) -> None:
    """The listener of someone who does not watch."""
