"""A private world for one device: its own root, processes, user ids and table of binary formats (see lab.inside)."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.memory_group import MemoryGroup
from lab.unavailable import Unavailable, last_line, need_programs, need_root, search_path

TESTS = Path(__file__).resolve().parents[1]
DISK_BYTES = 1 << 30
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class World:
    """What a device is made of. `lower` is shared and never written; the files of `seed` are laid over it first."""

    lower: Path
    seed: Path
    command: Sequence[str]
    environment: Mapping[str, str]
    chroot: bool = True
    emulator: str = ""
    disk_bytes: int = DISK_BYTES


class Namespaces:
    """A world that runs. Stopped by the id of its outermost process: the kernel ends all the others."""

    def __init__(self, world: World, folder: Path) -> None:
        """`folder` is made. Unavailable: what this machine does not allow."""
        need_root()
        need_programs(("mount", "mke2fs"), "mount e2fsprogs")
        folder.mkdir()
        self.memory = MemoryGroup.create(folder.parent.name)
        self.sized = False
        """Whether it has a disk of its own, which can be filled."""
        _make_image(folder / "disk.img", world.disk_bytes)
        self.folder = folder
        self.lower = world.lower
        self._log = folder / "log"
        (folder / "spec.json").write_text(json.dumps(self._spec(world)))
        with self._log.open("wb") as log:
            self._outer = subprocess.Popen(
                [sys.executable, "-m", "lab.inside", str(folder / "spec.json")],
                env={**os.environ, "PYTHONPATH": str(TESTS), "PATH": search_path()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._init = 0
        try:
            init, _, sized = self._first_line().partition(" ")
            self._init, self.sized = int(init), sized == "sized"
        except BaseException:
            self.stop()
            raise
        self._space = Path(f"/proc/{self._init}/ns/pid").readlink()

    @property
    def init(self) -> int:
        """The host's id of the device's process 1."""
        return self._init

    @property
    def root(self) -> Path:
        """The device's / as the host sees it, while the device runs."""
        return Path(f"/proc/{self._outer.pid}/root{self.folder}/root")

    @property
    def written(self) -> Path:
        """What was written on the device, as a tree of its own."""
        return Path(f"/proc/{self._outer.pid}/root{self.folder}/disk/upper")

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def running(self) -> bool:
        return self._outer.poll() is None

    def processes(self) -> dict[int, tuple[str, ...]]:
        """Every process of the device except its process 1: the host's id -> the command line."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != self._init:
                try:
                    if (entry / "ns" / "pid").readlink() == self._space:
                        line = (entry / "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace")
                        if line:  # one that ended and was not waited for has none
                            found[int(entry.name)] = tuple(line.split("\0"))
                except OSError:
                    continue  # ended meanwhile, or the host's own and not to be looked at
        return found

    def shadow(self, path: str, source: Path) -> None:
        """Let the host's file `source` stand for a file that the device's kernel shows, such as /proc/cpuinfo."""
        self._inside("mount", "--bind", str(source), self._place(path))

    def noexec(self, path: str) -> None:
        """No program can be started from this folder."""
        self._inside("mount", "--bind", self._place(path), self._place(path))
        self._inside("mount", "-o", "remount,bind,noexec", self._place(path))

    def tmpfs(self, path: str, size_bytes: int) -> None:
        """An empty file system in memory over this folder, for every user."""
        self._inside("mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=1777", "tmpfs", self._place(path))

    def unmount(self, path: str) -> None:
        """Undo the last of the three above. Lazily: a process that ends may still hold it."""
        self._inside("umount", "--lazy", self._place(path))

    def _place(self, path: str) -> str:
        return f"{self.folder}/root{path}"

    def _inside(self, *command: str) -> None:
        enter = ["nsenter", f"--target={self._init}", "--user", "--mount", "--"]
        subprocess.run([*enter, *command], env={**os.environ, "PATH": search_path()}, check=True, capture_output=True)

    def stop(self) -> None:
        if self._init:
            # With process 1 the kernel ends the others; the outermost one waits for that and ends, too.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._init, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._outer.wait(_START_S)
        self._outer.kill()
        self._outer.wait()
        if self._outer.stdout:
            self._outer.stdout.close()
        if self.memory:
            self.memory.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _spec(self, world: World) -> dict[str, object]:
        return {
            "parent": os.getpid(),
            "lower": str(world.lower),
            "seed": str(world.seed),
            "image": str(self.folder / "disk.img"),
            "disk": str(self.folder / "disk"),
            "root": str(self.folder / "root"),
            "command": list(world.command),
            "environment": dict(world.environment),
            "chroot": world.chroot,
            "emulator": world.emulator,
            "cgroup": str(self.memory.folder) if self.memory else "",
        }

    def _first_line(self) -> str:
        assert self._outer.stdout
        ready, _, _ = select.select([self._outer.stdout], [], [], _START_S)
        line = self._outer.stdout.readline() if ready else b""
        if not line:
            raise Unavailable(f"a device's namespaces cannot be made here: {last_line(self.log)}")
        return line.decode().strip()


def emulator() -> str:
    """qemu-user for aarch64, statically linked: EDGESHRINK_QEMU names another version's."""
    name = os.environ.get("EDGESHRINK_QEMU", "qemu-aarch64-static")
    need_programs((name,), "qemu-user-static")
    return str(shutil.which(name, path=search_path()))


def _make_image(image: Path, size_bytes: int) -> None:
    """An empty ext4 file system in a sparse file."""
    with image.open("wb") as file:
        file.truncate(size_bytes)
    # No journal: a device that is stopped is thrown away.
    command = ["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-O", "^has_journal", str(image)]
    subprocess.run(command, env={**os.environ, "PATH": search_path()}, check=True, capture_output=True)
