"""A world with dpkg in it, and commands that are run there as its root."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab.dpkg_root import dpkg_root
from lab.namespaces import Namespaces, World, emulator
from lab.unavailable import search_path

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Installing:
    """An arm64 Debian under qemu-user that nothing was installed in."""

    def __init__(self, folder: Path, *, lower: Path | None = None, cpu: str = "cortex-a76") -> None:
        """`folder` exists; `lower` is another root than the lab's. Unavailable: what this machine does not allow."""
        seed = folder / "seed"
        (seed / "etc").mkdir(parents=True)
        self._cpu = cpu
        world = World(
            lower=lower or dpkg_root(),
            seed=seed,
            command=("/bin/sleep", "100000"),
            environment={"PATH": _PATH},
            emulator=emulator(),
        )
        self.space = Namespaces(world, folder / "world")
        self.root = self.space.root
        self._plain = self.files()

    def enter(self, *command: str) -> list[str]:
        """What the host starts to have `command` run in the world."""
        enter = ["nsenter", f"--target={self.space.init}", "--user", "--mount", "--pid", "--"]
        return [*enter, "chroot", f"{self.space.folder}/root", *command]

    def environment(self, **more: str) -> dict[str, str]:
        path = f"{_PATH}{os.pathsep}{search_path()}"
        return {"PATH": path, "QEMU_CPU": self._cpu, "LC_ALL": "C", "HOME": "/root", **more}

    def run(self, *command: str, seconds: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        """As root, in the world; standard output and error apart."""
        return subprocess.run(
            self.enter(*command),
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    def files(self) -> frozenset[str]:
        """All that stands in the world now: files, links and folders, but for what dpkg keeps for itself."""
        outside = ("proc/", "dev/", "sys/", "var/lib/dpkg/", "tmp/")
        found = set()
        for parent, folders, names in os.walk(self.root):
            place = Path(parent).relative_to(self.root).as_posix()
            if place in ("proc", "dev", "sys"):
                folders.clear()
                continue
            found |= {f"{place}/{name}".removeprefix("./") for name in (*folders, *names)}
        return frozenset(name for name in found if not name.startswith(outside))

    def left(self) -> list[str]:
        """What stands in the world now and did not at first."""
        return sorted(self.files() - self._plain)

    def put(self, source: Path, place: str) -> None:
        (self.root / place.lstrip("/")).write_bytes(source.read_bytes())

    def stop(self) -> None:
        self.space.stop()
