"""Are these the bytes that were measured? Every file is read once; what was found is remembered.

Remembered is the sha256 of a path, for as long as its size and the times of its last change stay as they were, in
`checked.json` of the person's cache folder. EDGESHRINK_BUNDLE_CACHE names another folder, or "off" to remember nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .about import About, CarriedFile
from .errors import BundleInvalid, DigestMismatch, FileMissing
from .strict_json import read_object

CACHE_VARIABLE = "EDGESHRINK_BUNDLE_CACHE"
_CHUNK_BYTES = 4 << 20
_MOST_REMEMBERED = 4096
_Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Checked:
    """How many files were read now, and how many were known not to have changed since they were."""

    read: int
    remembered: int


def check_files(folder: Path, about: About, *, again: bool = False) -> Checked:
    """Compare every listed file; `again` reads those too that are remembered.

    FileMissing, DigestMismatch, or BundleInvalid where a file lies in the model's folder that nobody listed.
    """
    memory = _Memory()
    read = 0
    for file in about.files:
        path = folder / file.name
        if not path.is_file():
            raise FileMissing(f"{path} is missing: the bundle is not whole")
        stamp = _stamp(path)
        if stamp[0] != file.nbytes:
            raise DigestMismatch(f"{path} has {stamp[0]} bytes, it was measured with {file.nbytes}")
        if not again and memory.knows(path, stamp, file.sha256):
            continue
        _compare(path, file)
        read += 1
        if _stamp(path) == stamp:
            memory.add(path, stamp, file.sha256)
    _refuse_unlisted(folder, about)
    memory.keep()
    return Checked(read, len(about.files) - read)


def _compare(path: Path, file: CarriedFile) -> None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise FileMissing(f"{path} cannot be read: {error.strerror}") from error
    if digest.hexdigest() != file.sha256:
        raise DigestMismatch(f"{path} is not what was measured: its sha256 is {digest.hexdigest()}, not {file.sha256}")


def _refuse_unlisted(folder: Path, about: About) -> None:
    """A runtime that opens a folder reads what it finds there."""
    main = folder / about.main
    if not main.is_dir():
        return
    listed = {file.name for file in about.files}
    for path in sorted(main.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        if (name := path.relative_to(folder).as_posix()) not in listed:
            raise BundleInvalid(f"{name!r} lies in the model's folder, and bundle.json does not list it")


def _stamp(path: Path) -> _Stamp:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


class _Memory:
    """`checked.json`; whatever is wrong with it, or with writing it, costs only time."""

    def __init__(self) -> None:
        self._file = _cache_file()
        self._known: dict[str, list[object]] = {}
        self._changed = False
        if self._file is None or not _is_ours(self._file):
            return
        with contextlib.suppress(BundleInvalid):
            for path, entry in read_object(self._file).items():
                if isinstance(entry, list) and len(entry) == 4:
                    self._known[path] = entry

    def knows(self, path: Path, stamp: _Stamp, sha256: str) -> bool:
        return self._known.get(_key(path)) == [*stamp, sha256]

    def add(self, path: Path, stamp: _Stamp, sha256: str) -> None:
        self._known.pop(_key(path), None)  # the newest stand last
        self._known[_key(path)] = [*stamp, sha256]
        self._changed = True

    def keep(self) -> None:
        if self._file is None or not self._changed:
            return
        newest = dict(list(self._known.items())[-_MOST_REMEMBERED:])
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(prefix="checked-", suffix=".tmp", dir=self._file.parent)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as stream:
                    json.dump(newest, stream)
                Path(name).replace(self._file)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise


def _key(path: Path) -> str:
    return str(path.resolve())


def _is_ours(path: Path) -> bool:
    """Nobody else may have written what is believed here."""
    try:
        found = path.stat()
    except OSError:
        return False
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)


def _cache_file() -> Path | None:
    said = os.environ.get(CACHE_VARIABLE, "")
    if said.lower() == "off":
        return None
    try:
        return (Path(said) if said else _cache_folder()) / "checked.json"
    except RuntimeError:  # a service without a home
        return None


def _cache_folder() -> Path:
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "edgeshrink-bundles"
