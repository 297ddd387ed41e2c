"""The stages of a job that exports: named to the parent as they begin, timed, and the process's peak memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgeshrink.core.export_times import ExportTimes

_STATUS = Path("/proc/self/status")


class Stages:
    """`begin` ends the stage before."""

    def __init__(self, emit: Callable[[dict[str, object]], None]) -> None:
        self._emit = emit
        self._done: list[tuple[str, float]] = []
        self._name = ""
        self._began = time.monotonic()

    def begin(self, name: str) -> None:
        self._end()
        self._name, self._began = name, time.monotonic()
        self._emit({"stage": name})

    def step(self, done: int, total: int, unit: str = "") -> None:
        """How far the stage is."""
        self._emit({"done": done, "total": total, "unit": unit})

    def result(self, notes: list[str]) -> dict[str, object]:
        """What the job returns; `export_times` reads it."""
        self._end()
        return {"stages": self._done, "peak_rss_bytes": peak_rss_bytes(), "notes": notes}

    def _end(self) -> None:
        if self._name:
            self._done.append((self._name, round(time.monotonic() - self._began, 3)))
        self._name = ""


def export_times(result: Mapping[str, Any]) -> ExportTimes:
    """The parent's side of `Stages.result`."""
    stages = tuple((str(name), float(seconds)) for name, seconds in result["stages"])
    peak = result["peak_rss_bytes"]
    return ExportTimes(stages, None if peak is None else int(peak), tuple(map(str, result["notes"])))


def peak_rss_bytes() -> int | None:
    """This process's high-water mark; None where the system has no such count.

    Linux tells it in /proc: its getrusage counts what the parent held when it forked.
    """
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
