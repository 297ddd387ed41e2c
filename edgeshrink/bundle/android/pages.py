"""Whether a device with 16 KiB pages can map what is in an AAR or APK: its libraries, and its model files.

Reads the archive's own headers, so that it can be asked of anybody's. Sources:
https://developer.android.com/guide/practices/page-sizes; PKWARE APPNOTE 6.3, 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

from edgeshrink.core.plain import plain
from edgeshrink.errors import DataError
from edgeshrink.toolchain.elf import read_elf

PAGE_BYTES: Final = 16384
_ABIS_64: Final = ("arm64-v8a", "x86_64")
"""The ABIs that run on 16 KiB pages; 32-bit ones do not."""
_END, _END_BYTES, _CENTRAL, _CENTRAL_BYTES = b"PK\x05\x06", 22, b"PK\x01\x02", 46
_LOCAL, _LOCAL_BYTES = b"PK\x03\x04", 30
_COMMENT_MAX, _DIRECTORY_MAX, _LIBRARY_MAX = 0xFFFF, 64 << 20, 1 << 30
_STORED = 0
_ZIP64, _IN_ZIP64 = 1, 0xFFFFFFFF
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry's bytes begin in the archive."""

    name: str
    stored: bool
    offset: int


def check_library_pages(path: Path) -> None:
    """DataError: an ELF file whose segments a kernel with 16 KiB pages cannot map, or no 64-bit ELF file."""
    if (aligned := read_elf(path).page_bytes) < PAGE_BYTES:
        raise DataError(
            f"{path} is aligned to pages of {aligned} bytes: devices with 16 KiB pages cannot load it",
            hint="link it with -Wl,-z,max-page-size=16384",
        )


def is_mapped(name: str) -> bool:
    """Whether the entry is one of the files that a device maps: a 64-bit library, or a bundle's model file."""
    parts = PurePosixPath(name).parts
    return is_library(name) or (parts[:2] == ("assets", "edgeshrink") and "model" in parts[3:4] and len(parts) > 4)


def is_library(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return len(parts) == 3 and parts[0] in ("jni", "lib") and parts[1] in _ABIS_64 and name.endswith(".so")


def check_archive_pages(archive: Path, *, mapped: Callable[[str], bool] = is_mapped) -> None:
    """DataError names every mapped entry that is stored at no multiple of 16 KiB, and every library built for 4 KiB.

    A compressed entry is unpacked before it is used, so its place does not matter.
    """
    wrong = [
        f"{plain(place.name)} lies at {place.offset}, no multiple of {PAGE_BYTES}"
        for place in places(archive)
        if place.stored and mapped(place.name) and place.offset % PAGE_BYTES
    ]
    wrong += _wrong_libraries(archive)
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise DataError(
            f"{archive}: {'; '.join(wrong[:_SHOWN])}{more}",
            hint="entries: zipalign -f -P 16 or zipalign -f 16384; libraries: link with -Wl,-z,max-page-size=16384",
        )


def places(archive: Path) -> tuple[Place, ...]:
    """Every entry of a zip file, from its own headers. DataError where they do not hold together."""
    with archive.open("rb") as file:
        return tuple(_places(archive, file))


def _places(archive: Path, file: BinaryIO) -> Iterator[Place]:
    size = file.seek(0, 2)
    start = max(0, size - _COMMENT_MAX - _END_BYTES)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise DataError(f"{archive} is no zip file")
    count, nbytes, directory = struct.unpack_from("<HII", tail, at + 10)
    if 0xFFFFFFFF in (nbytes, directory) or count == 0xFFFF:
        raise DataError(f"{archive} is a zip64 file, more than Android reads")
    if nbytes > _DIRECTORY_MAX or directory + nbytes > start + at:
        raise DataError(f"{archive} has no central directory where it should be")
    file.seek(directory)
    rows = file.read(nbytes)
    row = 0
    for _ in range(count):
        if rows[row : row + 4] != _CENTRAL or row + _CENTRAL_BYTES > len(rows):
            raise DataError(f"{archive} has a broken central directory")
        (method,) = struct.unpack_from("<H", rows, row + 10)
        name_bytes, extra, comment = struct.unpack_from("<HHH", rows, row + 28)
        (local,) = struct.unpack_from("<I", rows, row + 42)
        name = rows[row + _CENTRAL_BYTES : row + _CENTRAL_BYTES + name_bytes].decode("utf-8", "replace")
        if local == _IN_ZIP64:
            fields = row + _CENTRAL_BYTES + name_bytes
            local = _zip64_offset(archive, rows, row, rows[fields : fields + extra])
        row += _CENTRAL_BYTES + name_bytes + extra + comment
        file.seek(min(local, size))
        head = file.read(_LOCAL_BYTES)
        if len(head) < _LOCAL_BYTES or head[:4] != _LOCAL:
            raise DataError(f"{archive} has no header for {plain(name)} where its directory says")
        # The local header's own lengths count: its extra field is where the padding is.
        local_name, local_extra = struct.unpack_from("<HH", head, 26)
        yield Place(name, method == _STORED, local + _LOCAL_BYTES + local_name + local_extra)


def _zip64_offset(archive: Path, rows: bytes, row: int, extras: bytes) -> int:
    """Where an entry beyond 2 GiB begins: its zip64 field has the sizes that are there, then the place."""
    sizes = struct.unpack_from("<II", rows, row + 20)
    at = 0
    while at + 4 <= len(extras):
        kind, nbytes = struct.unpack_from("<HH", extras, at)
        place = at + 4 + 8 * sizes.count(_IN_ZIP64)
        if kind == _ZIP64 and place + 8 <= min(at + 4 + nbytes, len(extras)):
            (offset,) = struct.unpack_from("<Q", extras, place)
            return int(offset)
        at += 4 + nbytes
    raise DataError(f"{archive} does not say where an entry lies")


def _wrong_libraries(archive: Path) -> list[str]:
    wrong = []
    try:
        with zipfile.ZipFile(archive) as opened, TemporaryDirectory(prefix="edgeshrink-pages-") as scratch:
            for info in opened.infolist():
                if not is_library(info.filename):
                    continue
                if info.file_size > _LIBRARY_MAX:
                    raise DataError(f"{archive}: {plain(info.filename)} is larger than a library can be")
                copy = Path(scratch, "library")
                with opened.open(info) as packed, copy.open("wb") as out:
                    while chunk := packed.read(4 << 20):
                        out.write(chunk)
                try:
                    check_library_pages(copy)
                except DataError as error:
                    wrong.append(error.message.replace(str(copy), plain(info.filename)))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{archive} cannot be read: {error}") from error
    return wrong
