"""A running test device: how it is reached, what is planted on it, what is left on it, and its faults."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from lab.namespaces import Namespaces
from lab.planting import Planting, rewrite
from lab.proxy import Wire
from lab.unavailable import skip

_FILLER = Path(".lab-filler")
_CLEAN_S = 20.0


class LabDevice(ABC):
    """One device, started once for many tests. Between two of them `reset` undoes faults and plants."""

    def __init__(
        self, address: str, space: Namespaces, wire: Wire, *, environment: Mapping[str, str], default_cpu: str
    ) -> None:
        """`environment`: what a program of the host needs to reach the device."""
        self.address = address
        """As the product takes it: "ssh:lab@127.0.0.1:2222", "adb:127.0.0.1:5555"."""
        self.environment = dict(environment)
        self.leaves_things = False
        """Set by a test that pushes files by itself: what is left over is then removed, not reported."""
        self._space = space
        self._wire = wire
        self._default_cpu = default_cpu
        self._planting = Planting(space.root)
        self._shadows: dict[str, Path] = {}
        self._mounted: list[str] = []
        self.cpu(default_cpu)
        self._baseline = frozenset(self._written())

    @abstractmethod
    def cpu(self, name: str) -> None:
        """Which CPU is emulated for the commands that start from now on: max, cortex-a76, cortex-a72, ..."""
        ...

    @abstractmethod
    def is_own(self, words: tuple[str, ...]) -> bool:
        """Whether a command line is that of the device's own service."""
        ...

    @abstractmethod
    def authorize(self, mode: str) -> None:
        """Who is let in from now on: "none" (no questions asked: everybody with the lab's key) or "deny" (nobody)."""
        ...

    # What is there

    @property
    def root(self) -> Path:
        """The device's / as this host sees it. A link to an absolute path leads out of it: do not follow one."""
        return self._space.root

    @property
    def log(self) -> str:
        """What the device's service (sshd, adbd) said."""
        return self._space.log

    def processes(self) -> tuple[str, ...]:
        """Command lines of what runs there besides the device's own service."""
        lines = (words[1:] if "/qemu-" in words[0] else words for words in self._foreign().values())
        return tuple(sorted(" ".join(words) for words in lines))

    def files(self) -> tuple[str, ...]:
        """Absolute paths of files and folders that came into being on the device and were not planted."""
        known = self._baseline | self._planting.paths() | {_FILLER}
        lower = self._space.lower
        return tuple(
            sorted(f"/{path}" for path in self._written() if path not in known and not (lower / path).exists())
        )

    def wait_until_clean(self, seconds: float = _CLEAN_S) -> tuple[str, ...]:
        """What is still there after so long: command lines and paths. Empty as soon as nothing is."""
        end = time.monotonic() + seconds
        while (left := self.processes() + self.files()) and time.monotonic() < end:
            time.sleep(0.05)
        return left

    # What is planted

    def plant(self, path: str, content: str | bytes, *, mode: int = 0o644) -> None:
        """Put a file there, as root, until `reset`; one under /proc is laid over what the kernel shows.

        A file that is rewritten never shows half of a text, and shows the new one to a program that holds it open.
        """
        data = content.encode() if isinstance(content, str) else content
        if path.startswith("/proc/"):
            self._shadow(path, data)
        else:
            self._planting.file(path, data, mode)

    def plant_link(self, path: str, to: str) -> None:
        """Put a symbolic link there until `reset`."""
        self._planting.link(path, to)

    def remove(self, path: str) -> None:
        """Take one planted file or link away before `reset`, and bring back what stood there."""
        if path in self._shadows:
            self._space.unmount(path)
            self._shadows.pop(path).unlink()
        else:
            self._planting.remove(path)

    # Faults

    def cut(self, *, after_bytes: int = 0) -> None:
        """Break the link, now or when `after_bytes` more have gone to the device, until `restore`."""
        self._wire.cut(after_bytes=after_bytes)

    def stall(self) -> None:
        """The link stays up and nothing comes through, until `resume`."""
        self._wire.stall()

    def restore(self) -> None:
        """Undo `cut` and `stall`; a connection that was cut stays cut."""
        self._wire.restore()

    resume = restore

    def fill(self, bytes_left: int) -> None:
        """Take up the device's disk but for so many bytes, until `reset`; skips where it has none of its own."""
        if not self._space.sized:
            skip("no loop device here: a device's disk cannot be filled")
        filler = self.root / _FILLER
        filler.unlink(missing_ok=True)
        disk = os.statvfs(self.root)
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - bytes_left)

    def noexec(self, path: str) -> None:
        """No program starts from this folder, until `reset`."""
        self._space.noexec(path)
        self._mounted.append(path)

    def tmpfs(self, path: str, size_bytes: int) -> None:
        """An empty file system in memory over this folder, until `reset`."""
        self._space.tmpfs(path, size_bytes)
        self._mounted.append(path)

    def limit_memory(self, free_bytes: int | None) -> None:
        """Leave the device so much memory beyond what it holds; its kernel kills what takes more. None: no limit.

        Skips where this machine lends no memory control group.
        """
        if self._space.memory is None:
            skip("no memory control group can be made here")
        self._space.memory.leave(free_bytes)

    def oom_kills(self) -> int:
        """How many processes the device's kernel has killed for want of memory."""
        return self._space.memory.kills() if self._space.memory else 0

    # Between tests

    def reset(self) -> tuple[str, ...]:
        """Undo faults and plants and remove what is left over; says what that was, if the test owed to remove it."""
        self.restore()
        self.authorize("none")
        if self._space.memory:
            self.limit_memory(None)
        left = () if self.leaves_things else self.wait_until_clean()
        self._clear()
        while self._mounted:
            self._space.unmount(self._mounted.pop())
        self._planting.remove_all()
        for path in tuple(self._shadows):
            self.remove(path)
        (self.root / _FILLER).unlink(missing_ok=True)
        self.cpu(self._default_cpu)
        self.leaves_things = False
        return left

    def stop(self) -> None:
        self._wire.close()
        self._space.stop()

    def _foreign(self) -> dict[int, tuple[str, ...]]:
        return {pid: words for pid, words in self._space.processes().items() if not self.is_own(words)}

    def _written(self) -> list[Path]:
        """What was written or changed on the device, or holds such a thing, relative to its root."""
        written = self._space.written
        # A file of the tree below that was removed stands as a character device.
        return [path.relative_to(written) for path in written.rglob("*") if not path.is_char_device()]

    def _clear(self) -> None:
        for pid in self._foreign():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for path in self.files():
            target = self.root / path.lstrip("/")
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target, ignore_errors=True)
            else:
                target.unlink(missing_ok=True)

    def _shadow(self, path: str, data: bytes) -> None:
        if path in self._shadows:
            rewrite(self._shadows[path], data)
            return
        source = self._space.folder / f"shadow{path.replace('/', '-')}"
        source.write_bytes(data)
        self._space.shadow(path, source)
        self._shadows[path] = source
