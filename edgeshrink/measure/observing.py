"""Two child processes, the host before and after, and what a reader of any session must know of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from edgeshrink.core.events import Listener, Progress
from edgeshrink.core.measurement import HostState, RuntimeFacts
from edgeshrink.core.reading import Reading, Unmeasured
from edgeshrink.devices.local import host_state
from edgeshrink.measure.cpu_use import BUSY, machine_is_busy
from edgeshrink.measure.statistics import median_reading
from edgeshrink.runtimes.child import run_job

_COLD_ENOUGH = 0.1
"""Share of a file's pages that may stay in the page cache for a load to be called cold."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What the children of one session saw: `loads` of the first, `seen` of the second. `spun`: see `run_job`."""

    taken_at: str
    before: HostState
    after: HostState
    loads: Mapping[str, Any] = field(repr=False)
    seen: Mapping[str, Any] = field(repr=False)
    spun: bool

    @property
    def runtime(self) -> RuntimeFacts:
        facts = self.seen["runtime"]
        return RuntimeFacts(**{**facts, "cpu_features": tuple(facts["cpu_features"])})

    def busy_notes(self) -> list[str]:
        notes = []
        others = self.seen["others"]
        if others > BUSY:
            notes.append(f"other programs used {others:.0%} of the CPUs meanwhile: on an idle machine it is faster")
        if not self.spun:
            notes.append("the machine was busy, so threads slept while they waited for each other, not span")
        return notes

    def load_readings(self, what: str) -> tuple[Reading, Reading]:
        """Cold and warm; `what` says what a load is."""
        loads = self.loads
        warm = median_reading(loads["warm_ms"], how=f"{what}; file in the page cache", nothing="nothing was loaded")
        if loads["not_cold"] is not None:
            return Unmeasured(str(loads["not_cold"])), warm
        stayed = loads["stayed"]
        if stayed is not None and stayed > _COLD_ENOUGH:
            return Unmeasured(f"{stayed:.0%} of the file stayed in the page cache after posix_fadvise"), warm
        checked = "cold as far as posix_fadvise allows"
        if stayed is not None:
            checked = f"mincore: {stayed:.1%} of the pages stayed"
        how = f"{what}; page cache dropped by posix_fadvise(DONTNEED) before each, {checked}"
        return median_reading(loads["cold_ms"], how=how, nothing="nothing was loaded"), warm


class Watcher:
    """Turns a child's events into progress over `total` repetitions."""

    def __init__(self, listener: Listener, name: str, total: int) -> None:
        self._listener = listener
        self._task = f"measure {name}"
        self._total = float(total)
        self._done = 0.0

    def __call__(self, event: dict[str, object]) -> None:
        if event["event"] in ("prefill", "decode"):
            self._done += 1
        elif event["event"] == "inference":
            self._done += float(str(event["runs"]))
        self._listener(Progress(self._task, self._done, self._total, "repetitions"))

    def restart(self) -> None:
        self._total += self._done

    def finish(self) -> None:
        self._listener(Progress(self._task, self._total, self._total, "repetitions"))


def observe(worker: str, parameters: Mapping[str, object], watch: Watcher) -> Observed:
    """Run `load_times` and `session` of the module `worker` with `parameters`, each in a fresh process.

    Threads spin while they wait only on an idle machine; a session in whose middle it turned busy is run again with
    threads that sleep. RuntimeFailed where the runtime refuses the file or dies.
    """
    taken_at = datetime.now(UTC).isoformat(timespec="seconds")
    before = host_state()
    spin = not machine_is_busy()
    loads = run_job(f"{worker}:load_times", parameters, on_event=watch, spin=spin)
    seen: Mapping[str, Any] = run_job(f"{worker}:session", {**parameters, "idle": spin}, on_event=watch, spin=spin)
    if seen["turned_busy"]:
        spin = False
        watch.restart()
        seen = run_job(f"{worker}:session", {**parameters, "idle": spin}, on_event=watch, spin=spin)
    after = host_state()
    watch.finish()
    return Observed(taken_at, before, after, loads, seen, spin)
