"""Unpack somebody's archive: nothing outside its folder, nothing but files and folders, and only so much of it."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from edgeshrink.errors import DataError

_UNSOUND = (zipfile.BadZipFile, RuntimeError, zlib.error, EOFError, NotADirectoryError)
"""RuntimeError: encrypted, or packed in a way that zipfile does not know."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that is unpacked."""

    files: int = 20_000
    nbytes: int = 8 << 30


def unpack_zip(archive: Path, folder: Path, bounds: Bounds = Bounds()) -> tuple[str, ...]:
    """Unpack into the existing `folder`; the names of the files. DataError says what in the archive is refused."""
    try:
        with zipfile.ZipFile(archive) as opened:
            files = _checked(archive, opened.infolist(), bounds)
            for info in files:
                place = folder / info.filename
                place.parent.mkdir(parents=True, exist_ok=True)
                # zipfile reads no more than the size that was checked above, and compares the CRC.
                with opened.open(info) as source, place.open("xb") as copy:
                    shutil.copyfileobj(source, copy, 4 << 20)
                place.chmod(0o755 if info.external_attr >> 16 & 0o100 else 0o644)
    except _UNSOUND as error:
        raise DataError(f"{archive} is no sound zip file: {error}") from error
    except FileExistsError as error:
        raise DataError(f"{archive} holds {error.filename} twice") from error
    return tuple(info.filename for info in files)


def safe_name(name: str) -> bool:
    """Whether a file of that name stays below the folder that it is unpacked in, on any system."""
    path = PureWindowsPath(name)
    plain = name == PurePosixPath(name).as_posix() and "\\" not in name and "\0" not in name
    return bool(name) and plain and not path.anchor and ".." not in path.parts and name != "."


def _checked(archive: Path, members: list[zipfile.ZipInfo], bounds: Bounds) -> list[zipfile.ZipInfo]:
    files = [info for info in members if not info.is_dir()]
    if len(members) > bounds.files:
        raise DataError(f"{archive} holds {len(members)} files, at most {bounds.files} are unpacked")
    if (total := sum(info.file_size for info in files)) > bounds.nbytes:
        raise DataError(f"{archive} would unpack to {total} bytes, at most {bounds.nbytes} are")
    for info in files:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if not safe_name(info.filename) or kind not in (0, stat.S_IFREG):
            raise DataError(f"{archive} holds {info.filename!r}, which is not unpacked: it leads out, or is no file")
    return files
