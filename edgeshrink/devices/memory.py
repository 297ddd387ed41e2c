"""Memory: what the machine has, and what one process may take of it (a container may allow less)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

from edgeshrink.devices.system import ROOT, read_int, read_text


@dataclass(frozen=True, slots=True)
class Limit:
    """Bytes, and where the limit comes from."""

    nbytes: int
    source: str


def total_ram() -> int:
    """Bytes of RAM that the system sees."""
    return int(psutil.virtual_memory().total)


def available_ram(root: Path = ROOT) -> int:
    """Bytes that can be taken now without swapping: the system's figure, or what the container's limit leaves."""
    available = int(psutil.virtual_memory().available)
    limit = container_limit(root)
    return available if limit is None else max(0, min(available, limit.nbytes - _container_usage(limit)))


def app_ram(root: Path = ROOT) -> Limit:
    """What one process may hold: the container's limit where there is one, else four fifths of the RAM."""
    total = total_ram()
    limit = container_limit(root)
    if limit is not None and limit.nbytes < total:
        return Limit(limit.nbytes, f"probed: {limit.source}")
    return Limit(total * 4 // 5, "derived: four fifths of the RAM; the system and other programs keep the rest")


def container_limit(root: Path = ROOT) -> Limit | None:
    """The lowest memory limit of the control groups (v1 or v2) around this process; None where none is set."""
    limits = []
    for folder, name in _groups(root):
        nbytes = read_int(folder / name)
        # Version 1 says "no limit" as the largest number of pages that fits 63 bits.
        if nbytes is not None and 0 < nbytes < 1 << 60:
            limits.append(Limit(nbytes, str(folder / name)))
    return min(limits, key=lambda limit: limit.nbytes, default=None)


def _groups(root: Path) -> list[tuple[Path, str]]:
    """Folders of this process's memory control groups, innermost first, and the name of the limit file."""
    found: list[tuple[Path, str]] = []
    for line in read_text(root / "proc/self/cgroup").splitlines():
        number, controllers, inner = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:
            top, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        # Inside a container the path may be the host's, which is not mounted here (it then begins with "..", or is
        # not there): the top is the container's own.
        folder = top if ".." in inner.split("/") else top / inner.lstrip("/")
        while folder != top and top in folder.parents:
            found.append((folder, name))
            folder = folder.parent
        found.append((top, name))
    return found


def _container_usage(limit: Limit) -> int:
    """Bytes the limited group holds and cannot simply drop: its usage without the file cache it may reclaim."""
    folder = Path(limit.source).parent
    usage = read_int(folder / "memory.current") or read_int(folder / "memory.usage_in_bytes") or 0
    stat = dict(line.split(" ", 1) for line in read_text(folder / "memory.stat").splitlines() if " " in line)
    reclaimable = stat.get("inactive_file") or stat.get("total_inactive_file") or "0"
    return max(0, usage - int(reclaimable))
