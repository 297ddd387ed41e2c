"""What stands in a folder, without following or opening anything: files, folders, and what no signature covers."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgeshrink.bundle.signing.names import SIGNATURE_NAME
from edgeshrink.core.signature import Finding, FindingKind
from edgeshrink.errors import DataError

_MOST_ENTRIES: Final = 200_000
_MOST_SHOWN: Final = 200
_WINDOWS_LINKS: Final = (0xA000000C, 0xA0000003)  # symbolic link, mount point
_SPECIAL: Final = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file as it was met; `name` is relative to the folder, with forward slashes."""

    name: str
    path: Path
    nbytes: int
    same: tuple[int, int]
    """Device and inode: two names of one file have the same bytes."""


@dataclass(frozen=True, slots=True)
class Walk:
    """In name order. `empty` are folders with nothing in them; `problems` what cannot be signed at all."""

    files: tuple[FoundFile, ...]
    empty: tuple[str, ...]
    problems: tuple[Finding, ...]


def walk(folder: Path, *, without: str = SIGNATURE_NAME) -> Walk:
    """Everything below `folder` but the file `without`: links, special files and clashing names are problems.

    DataError where the folder cannot be listed, or holds more than anybody signs.
    """
    files: list[FoundFile] = []
    empty: list[str] = []
    problems: list[Finding] = []
    waiting = [""]
    seen = 0
    while waiting:
        parent = waiting.pop()
        try:
            entries = sorted(_entries(folder / parent, _MOST_ENTRIES - seen))
        except OSError as error:
            if not parent:
                raise DataError(f"{folder} cannot be listed: {error.strerror}") from error
            problems.append(Finding("changed", parent, f"cannot be listed: {error.strerror}"))
            continue
        seen += len(entries)
        if seen >= _MOST_ENTRIES:
            raise DataError(f"{folder} holds more than {_MOST_ENTRIES:,} files", hint="this is no bundle")
        if parent and not entries:
            empty.append(parent)
        problems += _clashes(parent, entries)
        for entry in entries:
            name = f"{parent}/{entry}" if parent else entry
            if name == without and (folder / name).is_file() and not (folder / name).is_symlink():
                continue
            try:
                found = (folder / name).lstat()
            except OSError as error:
                problems.append(Finding("changed", name, f"cannot be looked at: {error.strerror}"))
                continue
            if problem := _unfit(folder / name, found):
                problems.append(Finding(problem[0], name, problem[1]))
            elif stat.S_ISDIR(found.st_mode):
                waiting.append(name)
            else:
                files.append(FoundFile(name, folder / name, found.st_size, (found.st_dev, found.st_ino)))
    files.sort(key=lambda file: file.name)
    return Walk(tuple(files), tuple(sorted(empty)), tuple(sorted(problems, key=lambda finding: finding.name)))


def _entries(folder: Path, most: int) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count >= most:
                return
            yield entry.name


def _unfit(path: Path, found: os.stat_result) -> tuple[FindingKind, str] | None:
    """Why an entry is neither a file nor a folder."""
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFLNK or getattr(found, "st_reparse_tag", 0) in _WINDOWS_LINKS:
        try:
            return "link", f"is a link to {str(path.readlink())[:_MOST_SHOWN]}"
        except OSError:
            return "link", "is a link"
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        return "special", f"is {_SPECIAL.get(kind, 'no file and no folder')}"
    return None


def _clashes(parent: str, entries: list[str]) -> Iterator[Finding]:
    """Names that are one name where case, or the way letters are composed, does not count (macOS, Windows)."""
    first: dict[str, str] = {}
    for entry in entries:
        other = first.setdefault(_folded(entry), entry)
        if other != entry:
            yield Finding("clash", f"{parent}/{entry}" if parent else entry, f"is the same name as {other} elsewhere")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
