"""A meter: what tells how much energy something took."""

from __future__ import annotations

from typing import Protocol


class Meter(Protocol):
    """One kind of power source. `scope` says what its joules include, for the report."""

    @property
    def scope(self) -> str: ...

    def available(self) -> str | None:
        """None when it can be read here, now, by this user; else the reason why not. Never raises."""

    def start(self) -> None:
        """Begin. OSError where the reading fails."""

    def stop(self) -> float:
        """Joules since `start`, never negative. OSError where the reading fails."""
