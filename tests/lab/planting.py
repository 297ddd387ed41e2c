"""Files that a test puts on a device, and what stood there before."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Before:
    """What stood at a path: a link, a file, or nothing; `made`: folders that had to be made, innermost first."""

    link: str | None
    content: bytes | None
    mode: int
    made: tuple[Path, ...]


class Planting:
    """Plants below `root`, which may be the root of a running device as its host sees it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._planted: dict[Path, _Before] = {}

    def paths(self) -> frozenset[Path]:
        """What exists because it was planted, relative to the root: files, links, and folders made for them."""
        return frozenset(self._planted).union(*(before.made for before in self._planted.values()))

    def file(self, path: str, data: bytes, mode: int) -> None:
        """A file that exists is rewritten in place: a program that holds it open sees the new text, as a sensor's."""
        target = self._prepare(path)
        if target.is_symlink():
            target.unlink()
        rewrite(target, data)
        target.chmod(mode)

    def link(self, path: str, to: str) -> None:
        target = self._prepare(path)
        target.unlink(missing_ok=True)
        target.symlink_to(to)

    def remove(self, path: str) -> None:
        """Bring back what stood there."""
        name = Path(path.lstrip("/"))
        before = self._planted.pop(name)
        target = self._root / name
        target.unlink(missing_ok=True)
        if before.link is not None:
            target.symlink_to(before.link)
        elif before.content is not None:
            target.write_bytes(before.content)
            target.chmod(before.mode)
        for folder in before.made:
            with contextlib.suppress(OSError):  # something else was planted there meanwhile
                (self._root / folder).rmdir()

    def remove_all(self) -> None:
        """The last one first: it may stand in a folder that was made for an earlier one."""
        for name in reversed(tuple(self._planted)):
            self.remove(str(name))

    def _prepare(self, path: str) -> Path:
        name = Path(path.lstrip("/"))
        target = self._root / name
        made = []
        for folder in name.parents:
            # Such a link leads out of the device, into the host's own tree.
            if (self._root / folder).is_symlink() and (self._root / folder).readlink().is_absolute():
                raise ValueError(f"{path}: /{folder} is a link; plant at the place it leads to")
            if not (self._root / folder).exists():
                made.append(folder)
        if name not in self._planted:
            link = str(target.readlink()) if target.is_symlink() else None
            exists = link is None and target.is_file()
            content = target.read_bytes() if exists else None
            mode = target.stat().st_mode & 0o7777 if exists else 0
            self._planted[name] = _Before(link, content, mode, tuple(made))
        for folder in reversed(made):
            (self._root / folder).mkdir()
        return target


def rewrite(file: Path, data: bytes) -> None:
    """Replace the text of a file in place: whoever reads meanwhile sees the old or the new one, never half of one."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        # Between the two steps the new text is followed by line ends where the old one was longer.
        os.pwrite(descriptor, data.ljust(os.fstat(descriptor).st_size, b"\n"), 0)
        os.ftruncate(descriptor, len(data))
    finally:
        os.close(descriptor)
