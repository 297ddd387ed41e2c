"""What torchrun tells a worker of itself, in its environment. No torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeshrink.errors import UsageError


@dataclass(frozen=True, slots=True)
class Place:
    """Which of how many workers, of all and of those on this machine; `restart`: how often torchrun began anew."""

    rank: int = 0
    workers: int = 1
    local_rank: int = 0
    local_workers: int = 1
    restart: int = 0


def place(environment: Mapping[str, str] = os.environ) -> Place:
    """This process's place; outside torchrun it is alone. UsageError where the variables are no numbers."""
    if "WORLD_SIZE" not in environment or "RANK" not in environment:
        return Place()
    found: dict[str, Any] = {}
    for name, variable, otherwise in (
        ("rank", "RANK", "0"),
        ("workers", "WORLD_SIZE", "1"),
        ("local_rank", "LOCAL_RANK", "0"),
        ("local_workers", "LOCAL_WORLD_SIZE", "1"),
        ("restart", "TORCHELASTIC_RESTART_COUNT", "0"),
    ):
        text = environment.get(variable, otherwise)
        if not text.isdecimal():
            raise UsageError(f"{variable} is {text!r}, expected a number", hint="start the workers with torchrun")
        found[name] = int(text)
    return Place(**found)
