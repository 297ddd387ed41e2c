"""Resident memory of this process: how much, of which kind, and how high it went.

Linux splits it (`/proc/self/status`: RssAnon, RssFile, RssShmem), keeps a high-water mark (VmHWM) and a fair share of
pages that processes map together (`smaps_rollup`: Pss). Elsewhere psutil gives the whole, and the system its peak.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

_PROC = Path("/proc/self")


@dataclass(frozen=True, slots=True)
class Resident:
    """Bytes resident now. `anon`, `file` and `peak` are None where the system does not tell."""

    total: int
    anon: int | None
    file: int | None
    peak: int | None


def resident(proc: Path = _PROC) -> Resident:
    """This process's resident memory; shared memory counts as anonymous, since no file backs it."""
    fields = _fields(proc / "status")
    if "RssAnon" in fields:
        anon, file = fields["RssAnon"] + fields.get("RssShmem", 0), fields["RssFile"]
        return Resident(anon + file, anon, file, fields.get("VmHWM"))
    info = psutil.Process().memory_info()
    return Resident(info.rss, None, None, _system_peak(info))


def forget_peak(proc: Path = _PROC) -> None:
    """Let the system's high-water mark start again from what is resident now; where it cannot, the mark stays."""
    with contextlib.suppress(OSError):
        (proc / "clear_refs").write_text("5")  # proc(5): resets the peak resident set size, Linux 4.0 and later


def proportional(proc: Path = _PROC) -> int | None:
    """Pss: resident bytes, where a page that n processes map counts 1/n. None where the system has no such figure."""
    return _fields(proc / "smaps_rollup").get("Pss")


def _fields(file: Path) -> dict[str, int]:
    """The "Name:   123 kB" lines of a /proc file, in bytes; empty where there is none."""
    try:
        text = file.read_text()
    except OSError:
        return {}
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if len(words) == 2 and words[1] == "kB" and words[0].isdigit():
            found[name] = int(words[0]) * 1024
    return found


def _system_peak(info: object) -> int | None:
    peak = getattr(info, "peak_wset", None)  # Windows
    if peak is not None:
        return int(peak)
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # getrusage(2): bytes on macOS, KiB elsewhere


class Recorder:
    """Collects samples with the phase they fell in.

    Where latency is timed, `sample` is called between timed stretches, so that it costs them nothing; `watching`
    samples from a thread, for phases in which one long native call is all that happens. `guard` is called with every
    sample of the first kind, and may raise.
    """

    def __init__(self) -> None:
        self.phase = "start"
        self.guard: Callable[[], None] | None = None
        self.samples: list[tuple[float, str, Resident]] = []
        self.peak_pss: int | None = None
        self._began = time.perf_counter()

    def sample(self) -> None:
        self._look()
        if self.guard is not None:
            self.guard()

    def _look(self) -> None:
        self.samples.append((time.perf_counter() - self._began, self.phase, resident()))

    def enter(self, phase: str) -> None:
        """End the current phase with a sample, its Pss included, and begin the next."""
        self.sample()
        share = proportional()
        if share is not None:
            self.peak_pss = max(share, self.peak_pss or 0)
        self.phase = phase

    @contextmanager
    def watching(self, every_s: float = 0.05) -> Iterator[None]:
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(every_s):
                self._look()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def as_json(self) -> dict[str, object]:
        """Rows of [seconds, phase, total, anon, file, peak], and the peak Pss."""
        rows = [[at, phase, r.total, r.anon, r.file, r.peak] for at, phase, r in self.samples]
        return {"rows": rows, "peak_pss": self.peak_pss}
