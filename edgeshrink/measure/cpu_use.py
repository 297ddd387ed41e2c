"""How much of the CPUs something else took."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import psutil

BUSY = 0.1
"""Share of the CPUs in other programs' hands from which on a measurement says so."""
TOO_BUSY_TO_SPIN = 0.25
"""The same, from which on threads that spin while they wait do so for whole time slices of the scheduler."""
_AT_WORK = ("user", "nice", "system", "irq", "softirq", "steal", "interrupt", "dpc")


def machine_is_busy(seconds: float = 0.3) -> bool:
    """Whether other programs hold more than BUSY of the CPUs right now, looked at for `seconds`."""
    use = CpuUse()
    time.sleep(seconds)
    return use.others_since() > BUSY


class TurnedBusy(Exception):
    """Other programs began to work in the middle of a measurement that counted on an idle machine."""


class IdleGuard:
    """Called again and again, it raises TurnedBusy once others hold more than TOO_BUSY_TO_SPIN for a second."""

    def __init__(self) -> None:
        self._since = CpuUse()

    def __call__(self) -> None:
        if self._since.age_s() < 1.0:
            return
        if self._since.others_since() > TOO_BUSY_TO_SPIN:
            raise TurnedBusy
        self._since = CpuUse()


@dataclass(frozen=True, slots=True)
class CpuUse:
    """A moment; `others_since` tells what other programs did after it."""

    _at: float = field(default_factory=lambda: time.perf_counter())
    _all: float = field(default_factory=lambda: _seconds_at_work())
    _own: float = field(default_factory=lambda: _own_seconds())

    def age_s(self) -> float:
        return time.perf_counter() - self._at

    def others_since(self) -> float:
        """Share (0 to 1) of all CPUs' time since this moment that other processes had, a hypervisor's steal with it."""
        elapsed = self.age_s() * (psutil.cpu_count() or 1)
        others = (_seconds_at_work() - self._all) - (_own_seconds() - self._own)
        return min(1.0, max(0.0, others / elapsed)) if elapsed > 0 else 0.0


def _seconds_at_work() -> float:
    times = psutil.cpu_times()
    return float(sum(getattr(times, name, 0.0) for name in _AT_WORK))


def _own_seconds() -> float:
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)
