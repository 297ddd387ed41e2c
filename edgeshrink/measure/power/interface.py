"""A power reader: which small files (or which program's lines) tell the power, and what their text means. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from edgeshrink.core.power import Origin, PowerSample


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """What to read while a model runs.

    Either `files`, each read every `interval_ms`, or `command`, a program whose every line of output is one reading.
    """

    source: str
    scope: str
    origin: Origin
    why: str = ""
    files: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    interval_ms: int = 50
    notes: tuple[str, ...] = ()
    averages: bool = False
    """Each reading is the mean power since the one before (a counter, a program that averages), not a moment's."""


@dataclass(frozen=True, slots=True)
class RawSample:
    """One reading at `at_s` on the device's clock since boot: a text for each of the plan's files, or one line.

    None: that file could not be read at that moment.
    """

    at_s: float
    texts: tuple[str | None, ...]


class PowerReader(Protocol):
    """One kind of sensor. Reads nothing itself: `shown` is what the probe saw, samples are what a session took."""

    @property
    def name(self) -> str: ...

    @property
    def globs(self) -> tuple[str, ...]:
        """Files that a probe must look for, as shell patterns without spaces ("/sys/class/powercap/*/energy_uj")."""
        ...

    @property
    def commands(self) -> tuple[str, ...]:
        """Programs that a probe must look for; they stand in `shown` as `command:NAME`."""
        ...

    def plan(self, shown: Mapping[str, str]) -> SamplingPlan | str:
        """How to sample it on a device that shows this; else the reason why it cannot be. Never raises."""
        ...

    def settled(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> SamplingPlan:
        """The plan with what only readings could tell (a unit, which rails a line has); most give it back as it is."""
        ...

    def watts(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> tuple[PowerSample, ...]:
        """Power at each moment, in order; torn or missing readings are left out. Counters give the mean between two."""
        ...
