"""Runners that were built, as a folder each: the program, and runner.json with what it was made of and by.

<folder>/<target>-<level>-<compiler>-<digest>/{edgeshrink-runner,runner.json}   whole; moved here in one go
<folder>/sources/                                                               llama.cpp, unpacked once
<folder>/work/<library key>/                                                    objects: a killed build goes on here
<folder>/locks/
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from edgeshrink.errors import DataError
from edgeshrink.toolchain.runner.platform import RunnerPlatform

PROGRAM = "edgeshrink-runner"
_META = "runner.json"


@dataclass(frozen=True, slots=True)
class RunnerRecord:
    """What a built runner was made of. `target`: what it runs on ("linux", "android28", "native", a device's id)."""

    build_id: str
    compiler: str
    target: str
    level: str
    llama: str
    program: str
    seconds: float

    def runs_on(self, platform: RunnerPlatform) -> bool:
        """A static Linux file runs on Android, too; nothing else runs elsewhere."""
        targets = {"linux": ("linux",), "android": ("android", "linux"), "darwin": ("macos",)}[platform.system]
        return self.level == platform.level and self.target.startswith(targets)


@dataclass(frozen=True, slots=True)
class Kept:
    """A whole runner of the cache."""

    path: Path
    record: RunnerRecord


def find(folder: Path, name: str) -> Kept | None:
    """The whole runner `name`; None where there is none, or its record is damaged."""
    program = folder / name / PROGRAM
    try:
        record = RunnerRecord(**json.loads((folder / name / _META).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return Kept(program, record) if program.is_file() else None


def everything(folder: Path) -> tuple[Kept, ...]:
    """Every whole runner in `folder`, by name; none where there is no such folder."""
    names = sorted(path.parent.name for path in folder.glob(f"*/{_META}"))
    return tuple(kept for name in names if (kept := find(folder, name)))


def keep(folder: Path, name: str, write: Callable[[Path], None], record: Callable[[], RunnerRecord]) -> Kept:
    """Let `write` make the program, then move it and its record into place, whole or not at all.

    Only the holder of the lock of `name` may call this.
    """
    for leftover in folder.glob(f".{name}.*"):  # of a killed run
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}.") as scratch:
        new = Path(scratch) / name
        new.mkdir()
        write(new / PROGRAM)
        (new / PROGRAM).chmod(0o755)
        (new / _META).write_text(json.dumps(asdict(record()), indent=1) + "\n", encoding="utf-8")
        target = folder / name
        if target.exists():  # a damaged one, for a whole one is not made again
            shutil.rmtree(target)
        new.rename(target)
    kept = find(folder, name)
    if kept is None:
        raise DataError(f"the runner just built is gone from {target}", hint="run again; look at the disk")
    return kept
