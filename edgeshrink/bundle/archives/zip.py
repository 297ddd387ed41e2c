"""Zip files of stored entries, aligned so that a device can map them: AAR, jar, wheel.

Source: PKWARE APPNOTE 6.3; Android's zipalign for the extra field that pads (0xD935, as apksigner writes it).
"""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from edgeshrink.bundle.archives.entries import Entry, pour
from edgeshrink.core.events import Listener, silent

_EPOCH = (1980, 1, 1, 0, 0, 0)
_LOCAL_HEADER_BYTES, _ZIP64_EXTRA_BYTES = 30, 20
_PADDING_ID, _PADDING_HEAD_BYTES = 0xD935, 6
_UNIX = 3
_FOLDER = (stat.S_IFDIR | 0o755) << 16 | 0x10  # the last is what MS-DOS says


def no_alignment(_: Entry) -> int:
    return 1


def write_zip(
    path: Path, entries: Iterable[Entry], *, align: Callable[[Entry], int] = no_alignment, listener: Listener = silent
) -> None:
    """Write the new file `path`, `entries` in the order given; each starts at a multiple of `align(entry)` bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name, _EPOCH)
            info.create_system = _UNIX
            info.external_attr = _FOLDER if info.is_dir() else (stat.S_IFREG | entry.mode) << 16
            info.file_size = entry.nbytes
            info.extra = _padding(file.tell(), info, align(entry))
            with archive.open(info, "w", force_zip64=_needs_zip64(info)) as stream:
                pour(entry, stream.write, listener)
    path.chmod(0o644)


def _needs_zip64(info: zipfile.ZipInfo) -> bool:
    return info.file_size * 1.05 > zipfile.ZIP64_LIMIT  # as zipfile itself decides


def _padding(offset: int, info: zipfile.ZipInfo, alignment: int) -> bytes:
    if alignment <= 1:
        return b""
    start = offset + _LOCAL_HEADER_BYTES + len(info.filename.encode()) + _ZIP64_EXTRA_BYTES * _needs_zip64(info)
    zeros = -(start + _PADDING_HEAD_BYTES) % alignment
    return struct.pack("<HHH", _PADDING_ID, 2 + zeros, alignment) + bytes(zeros)
