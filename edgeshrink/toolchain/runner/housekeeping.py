"""What the folder of runners holds, what of it the installed version uses, and the rest taken away.

In use: programs made of the installed llama.cpp and our own files as they are now, llama.cpp's sources of that version,
and objects from which such a program would be linked.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from edgeshrink.toolchain.runner import cache

if sys.platform != "win32":
    import fcntl

Kind = Literal["runner", "objects", "sources"]
_LLAMA = re.compile(r"^EDGESHRINK_LLAMA:[A-Z]*=(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Held:
    """One folder. `llama`: of which version it was made, "" where that cannot be told."""

    kind: Kind
    name: str
    path: Path
    llama: str
    nbytes: int
    used: bool


def everything(folder: Path, *, llama: str, program: str) -> tuple[Held, ...]:
    """What lies in `folder`, by kind and name. `llama`, `program`: what a runner would be made of now."""
    return tuple(_held(folder, llama, program))


def remove_unused(folder: Path, *, llama: str, program: str, dry_run: bool = False) -> tuple[Held, ...]:
    """Remove what is not used, but for what another process is working on; what was (or would be) removed."""
    removed, busy = [], set()
    for held in everything(folder, llama=llama, program=program):
        if held.used or (held.kind == "sources" and held.llama in busy):
            continue
        with _alone(folder, held) as alone:
            if not alone:
                busy.add(held.llama)
                continue
            if not dry_run:
                shutil.rmtree(held.path, ignore_errors=True)
            removed.append(held)
    return tuple(removed)


def _held(folder: Path, llama: str, program: str) -> Iterator[Held]:
    for kept in cache.everything(folder):
        used = (kept.record.llama, kept.record.program) == (llama, program)
        yield _one("runner", kept.path.parent, kept.record.llama, used)
    for path in _folders(folder / "work"):
        made_of = _llama_of(path)
        yield _one("objects", path, made_of, made_of == llama)
    for path in _folders(folder / "sources"):
        version = path.name.removeprefix("llama.cpp-")
        yield _one("sources", path, version, version == llama)


def _one(kind: Kind, path: Path, llama: str, used: bool) -> Held:
    nbytes = sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and not file.is_symlink())
    return Held(kind, path.name, path, llama, nbytes, used)


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.glob("*") if path.is_dir() and not path.name.startswith("."))


def _llama_of(work: Path) -> str:
    """As CMake was told; a native runner is linked to the installed libraries and leaves no objects."""
    try:
        found = _LLAMA.search((work / "build" / "CMakeCache.txt").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    return found[1] if found else ""


@contextmanager
def _alone(folder: Path, held: Held) -> Iterator[bool]:
    """Whether nobody else works on it; then nobody does while this is held."""
    if held.kind == "objects":
        with _unheld(held.path.with_suffix(".lock")) as alone:
            yield alone
        return
    locks = folder / "locks" / f"{held.name}.lock" if held.kind == "runner" else held.path.parent / f"{held.name}.lock"
    locks.parent.mkdir(exist_ok=True)
    lock = FileLock(locks, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@contextmanager
def _unheld(path: Path) -> Iterator[bool]:
    """The lock that `compiling.held` takes, and that compilers may hold on to."""
    if sys.platform == "win32" or not path.exists():
        yield True
        return
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        alone = True
    except BlockingIOError:
        alone = False
    try:
        yield alone
    finally:
        os.close(descriptor)
