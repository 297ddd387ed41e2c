"""The files of an artifact: one, or all that a folder holds."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edgeshrink.errors import RuntimeFailed


def artifact_files(path: Path) -> tuple[Path, ...]:
    """`path` itself, or every file in it and below, in name order. RuntimeFailed where there is none."""
    if path.is_file():
        return (path,)
    found = tuple(sorted(entry for entry in path.rglob("*") if entry.is_file())) if path.is_dir() else ()
    if not found:
        raise RuntimeFailed(f"{path}: there is no such file, nor a folder with files")
    return found


def artifact_bytes(path: Path) -> int:
    """Bytes of all of its files together."""
    return sum(file.stat().st_size for file in artifact_files(path))


def sha256_of(file: Path) -> str:
    """The file's digest, read in pieces."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
