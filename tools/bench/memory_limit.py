"""Run a program under a limit of the kernel's memory controller, and find the smallest it survives. Needs root."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_V1, _V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
_LONGEST_S = 120


def unavailable() -> str:
    """Why no limit can be set here; "" where one can."""
    if os.geteuid() != 0:
        return "a memory limit needs root"
    if (_V1 / "memory.limit_in_bytes").exists() or "memory" in _controllers():
        return ""
    return "no memory controller is mounted under /sys/fs/cgroup"


def survives(command: Sequence[str], limit_bytes: int) -> bool:
    """Whether the program ends well under the limit, swap included; killed, hung or failed is False."""
    with _limited(limit_bytes) as members:

        def join() -> None:
            members.write_text("0")

        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=join, timeout=_LONGEST_S, check=False
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def smallest(passes: Callable[[int], bool], low: int, high: int, *, within: float) -> int:
    """The smallest limit that passes, to a share of `within`: `low` must fail and `high` pass, or they are widened."""
    while passes(low):
        low, high = low * 3 // 4, low
    while not passes(high):
        low, high = high, high * 5 // 4
    while high - low > within * high:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high


@contextmanager
def _limited(limit_bytes: int) -> Iterator[Path]:
    """The file to which a process writes "0" to be held to the limit."""
    first = (_V1 / "memory.limit_in_bytes").exists()
    if not first:
        (_V2 / "cgroup.subtree_control").write_text("+memory")
    group = (_V1 if first else _V2) / f"edgeshrink-bench-{os.getpid()}"
    group.mkdir()
    try:
        (group / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(limit_bytes))
        swap = group / ("memory.memsw.limit_in_bytes" if first else "memory.swap.max")
        if swap.exists():
            swap.write_text(str(limit_bytes) if first else "0")
        yield group / "cgroup.procs"
    finally:
        for _ in range(100):  # the kernel lets a group go a moment after its last process
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.05)


def _controllers() -> list[str]:
    file = _V2 / "cgroup.controllers"
    return file.read_text().split() if file.exists() else []
