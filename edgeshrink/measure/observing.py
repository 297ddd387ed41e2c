"""Two child processes, the host before and after, and what a reader of any session must know of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from edgeshrink.core.events import Listener, Progress
from edgeshrink.core.measurement import HostState, RuntimeFacts
from edgeshrink.core.reading import Reading
from edgeshrink.devices.local import host_state
from edgeshrink.measure.assembly import SLEPT, load_readings, others_note
from edgeshrink.measure.cpu_use import machine_is_busy
from edgeshrink.runtimes.child import run_job


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
        notes = list(others_note(self.seen["others"]))
        if not self.spun:
            notes.append(SLEPT)
        return notes

    def load_readings(self, what: str) -> tuple[Reading, Reading]:
        """Cold and warm; `what` says what a load is."""
        loads = self.loads
        return load_readings(
            loads["cold_ms"], loads["warm_ms"], stayed=loads["stayed"], not_cold=loads["not_cold"], what=what
        )


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
