"""A control group that gives a device little memory, so that the kernel's own OOM killer ends what takes too much."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

_V1 = Path("/sys/fs/cgroup/memory")
_V2 = Path("/sys/fs/cgroup")
_PREFIX = "edgeshrink-lab-"


class MemoryGroup:
    """One group, version 1 or 2. Processes join by writing their id to `folder`/cgroup.procs."""

    def __init__(self, folder: Path, version: int) -> None:
        self.folder = folder
        self._version = version

    @classmethod
    def create(cls, name: str) -> MemoryGroup | None:
        """A group of this process's; None where this machine lends no memory controller."""
        for parent, version, limit in ((_V1, 1, "memory.limit_in_bytes"), (_V2, 2, "memory.max")):
            folder = parent / f"{_PREFIX}{os.getpid()}-{name}"
            try:
                folder.mkdir()
            except OSError:
                continue
            if (folder / limit).exists():
                return cls(folder, version)
            folder.rmdir()
        return None

    def leave(self, free_bytes: int | None) -> None:
        """Allow `free_bytes` beyond what is held now (files that can be read again do not count); None: no limit."""
        if self._version == 1:
            limit = -1 if free_bytes is None else self._held() + free_bytes
            (self.folder / "memory.limit_in_bytes").write_text(str(limit))
        else:
            (self.folder / "memory.max").write_text("max" if free_bytes is None else str(self._held() + free_bytes))

    def kills(self) -> int:
        """How many processes the OOM killer ended here so far."""
        events = self.folder / ("memory.oom_control" if self._version == 1 else "memory.events")
        return self._field(events, "oom_kill")

    def remove(self) -> None:
        """The group of a stopped device; the kernel needs a moment to let the last process go."""
        for _ in range(100):
            try:
                self.folder.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.02)

    def _held(self) -> int:
        return self._field(self.folder / "memory.stat", "rss" if self._version == 1 else "anon")

    @staticmethod
    def _field(file: Path, name: str) -> int:
        for line in file.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
        return 0


def remove_orphans() -> None:
    """Remove groups whose makers were killed before they could do it; one that still holds a process stays."""
    for group in (group for parent in (_V1, _V2) for group in parent.glob(f"{_PREFIX}*")):
        if not Path("/proc", group.name.removeprefix(_PREFIX).partition("-")[0]).exists():
            with contextlib.suppress(OSError):
                group.rmdir()
