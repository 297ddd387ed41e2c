"""A folder, or a file, that is wholly the old or wholly the new at any instant, whatever kills the run.

Linux and macOS exchange two folders in one step (renameat2 with RENAME_EXCHANGE; renamex_np with RENAME_SWAP).
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeshrink.engine.workplace import remove_leftovers as remove_leftovers
from edgeshrink.engine.workplace import workplace
from edgeshrink.errors import NO_SPACE, NoSpace, UsageError

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_RENAME_SWAP = 2
_FOLDER_MODE = 0o755
_ELSEWHERE = "name a new folder with -o"


@contextmanager
def whole_folder(folder: Path, *, durable: bool = True) -> Iterator[Path]:
    """An empty folder beside `folder` to write into; it takes the place of `folder` when the block ends well.

    `folder` is new, or a folder that the caller may replace: then the two are exchanged, and the old is removed.
    Nothing is left behind where the block fails or is interrupted; what a killed run left, the next one removes.
    `durable`: what was written is on the disk before it takes the place. UsageError, before the block, where the
    folder cannot be written or exchanged; NoSpace where the disk fills up.
    """
    folder = folder.resolve()
    with _place_beside(folder) as work:
        replaced = os.path.lexists(folder)
        if replaced:
            _check_exchange(folder, work)
        new = work / "new"
        new.mkdir()
        yield new
        new.chmod(_FOLDER_MODE)
        if durable:
            _sync_tree(new)
        if replaced:
            exchange(new, folder)
        else:
            _rename_new(new, folder)
        if durable:
            _sync(folder.parent)


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """The same for one file: a path to write to, which takes the place of `file`. A link is followed, not replaced."""
    file = file.resolve()
    with _place_beside(file) as work:
        if file.is_dir():
            raise UsageError(f"{file} is a folder", hint="name a file with -o")
        new = work / "new"
        yield new
        _sync(new)
        new.replace(file)
        _sync(file.parent)


def exchange(one: Path, other: Path) -> None:
    """Let two folders of one file system change places in one step. OSError where the system cannot."""
    library = None if os.name == "nt" else ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(one), os.fsencode(other)
    if library is not None and hasattr(library, "renameat2"):
        failed = library.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, ctypes.c_uint(_RENAME_EXCHANGE))
    elif library is not None and hasattr(library, "renamex_np"):
        failed = library.renamex_np(first, second, ctypes.c_uint(_RENAME_SWAP))
    else:
        raise OSError(errno.ENOSYS, "this system exchanges no folders", str(other))
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))


@contextmanager
def _place_beside(path: Path) -> Iterator[Path]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{path.parent} cannot be made: {error.strerror}", hint="name another place with -o"
        ) from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write to {path.parent}", hint="name another place with -o")
    try:
        with workplace(path) as work:
            yield work
    except OSError as error:
        if error.errno in NO_SPACE:
            raise NoSpace(f"the disk of {path} is full", hint="free some space, or name another place") from error
        raise


def _check_exchange(folder: Path, work: Path) -> None:
    """Refuse before any work what could not be replaced in one step at the end."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint=_ELSEWHERE)
    if folder.is_mount():
        raise UsageError(f"{folder} is a mount point, and cannot be replaced in one step", hint=_ELSEWHERE)
    one, other = work / "one", work / "other"
    one.mkdir()
    other.mkdir()
    try:
        exchange(one, other)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be replaced in one step: the file system there exchanges no folders", hint=_ELSEWHERE
        ) from error
    one.rmdir()
    other.rmdir()


def _rename_new(new: Path, folder: Path) -> None:
    try:
        new.rename(folder)
    except OSError as error:
        if folder.exists():
            raise UsageError(f"{folder} came into being meanwhile", hint="run it again, or name another") from error
        raise


def _sync_tree(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        for name in files:
            _sync(Path(parent, name))
        _sync(Path(parent))


def _sync(path: Path) -> None:
    if os.name == "nt":  # neither a folder nor a file that is only read can be flushed there
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
