"""The files of a build: a folder, or one file. No link is followed, none is taken for a file."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from edgeshrink.bundle.archives.reading import safe_name
from edgeshrink.bundle.signing.file_digests import Unreadable, open_regular
from edgeshrink.bundle.signing.walking import walk
from edgeshrink.core.plain import plain
from edgeshrink.errors import DataError, UsageError

_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class TreeFile:
    """`name` is relative to the folder, with forward slashes; of a single file it is the file's own."""

    name: str
    path: Path
    nbytes: int
    mode: int
    same: tuple[int, int]
    """Device and inode: two names of one file have the same bytes."""


@dataclass(frozen=True, slots=True)
class Tree:
    """In name order. `single`: the build is one file. `empty`: folders that hold nothing."""

    root: Path
    single: bool
    files: tuple[TreeFile, ...]
    empty: tuple[str, ...]


def read_tree(root: Path) -> Tree:
    """UsageError where there is nothing; DataError where it holds something that is neither file nor folder."""
    if root.is_file():
        return Tree(root, True, (_file(root.name, root),), ())
    if not root.is_dir():
        raise UsageError(f"{root} does not exist", hint="name a bundle, a build folder or an artifact")
    walked = walk(root, without="")
    if walked.problems:
        first = walked.problems[0]
        raise DataError(f"{root}: {plain(first.name)} {plain(first.detail)}", hint="a build holds files and folders")
    if odd := [file.name for file in walked.files if not safe_name(file.name)]:
        raise DataError(f"{root}: {odd[0]!r} is no name for every system", hint="rename it")
    return Tree(root, False, tuple(_file(file.name, file.path) for file in walked.files), walked.empty)


def opened(path: Path) -> BinaryIO:
    """A regular file, to read."""
    try:
        return cast(BinaryIO, io.BufferedReader(open_regular(path), _BUFFER_BYTES))
    except Unreadable as error:
        raise DataError(f"{path} {error}") from error


def _file(name: str, path: Path) -> TreeFile:
    found = path.stat()
    return TreeFile(name, path, found.st_size, found.st_mode & 0o777, (found.st_dev, found.st_ino))
