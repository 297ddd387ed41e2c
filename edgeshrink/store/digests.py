"""sha256 of files, remembered by path, size and time of change, so that a large model is read once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edgeshrink.core.digests import combined_sha256 as combined_sha256
from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.store.notes import Notes

_CHUNK_BYTES = 4 << 20


def file_sha256(path: Path, listener: Listener = silent) -> str:
    """Lower-case hex sha256 of a file, read in 4 MiB pieces."""
    digest = hashlib.sha256()
    total = path.stat().st_size
    done = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            if total > 64 << 20:
                listener(Progress(f"reading {path.name}", done, total, "bytes"))
    return digest.hexdigest()


def remembered_sha256(path: Path, notes: Notes, listener: Listener = silent) -> str:
    """`file_sha256`, not read again while the file's size and nanosecond time of change stay the same."""
    real = path.resolve()
    stat = real.stat()
    name = f"sha256-{hashlib.sha256(str(real).encode()).hexdigest()[:24]}"
    stamp = {"path": str(real), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    known = notes.read(name)
    if known is not None and {key: known.get(key) for key in stamp} == stamp:
        return str(known["sha256"])
    digest = file_sha256(real, listener)
    notes.write(name, {**stamp, "sha256": digest})
    return digest


def remembered_tree_sha256(path: Path, notes: Notes, listener: Listener = silent) -> str:
    """Of a file its sha256; of a folder one digest over all files in it and below, by their relative names."""
    if path.is_file():
        return remembered_sha256(path, notes, listener)
    files = (file for file in path.rglob("*") if file.is_file())
    return combined_sha256(
        (file.relative_to(path).as_posix(), remembered_sha256(file, notes, listener)) for file in files
    )
