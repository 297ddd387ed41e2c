"""A .deb: an ar archive of control and data, written in one pass over the files. Source: deb(5), ar(5)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from edgeshrink.bundle.archives.entries import Entry, in_order
from edgeshrink.bundle.archives.tar import write_tar_gz_to
from edgeshrink.core.events import Listener
from edgeshrink.errors import DataError

LARGEST_BYTES = 10**10 - 1
"""ar(5) writes a member's size in ten digits."""
EPOCH_S = 315_532_800
"""1980-01-01, as in a zip file: the time of everything inside, since tools take 1970 for a broken clock."""
_MAGIC = b"!<arch>\n"
_SIZE_FIELD = 48  # offset in a member's header


def write_deb(path: Path, control: Sequence[Entry], data: Sequence[Entry], listener: Listener) -> None:
    """Write the new file `path`: `control` (the file `control`, scripts...) and the files to install.

    DataError where the data would not fit: a half-written file is the caller's to remove.
    """
    with path.open("xb") as file:
        file.write(_MAGIC)
        _member(file, "debian-binary", b"2.0\n")
        packed = io.BytesIO()
        write_tar_gz_to(packed, in_order(control), dotted=True, mtime=EPOCH_S)
        _member(file, "control.tar.gz", packed.getvalue())
        start = file.tell()
        file.write(_header("data.tar.gz", 0))
        begin = file.tell()
        write_tar_gz_to(file, in_order(data), dotted=True, mtime=EPOCH_S, listener=listener)
        nbytes = file.tell() - begin
        refuse_larger(path.name, nbytes)
        file.write(b"\n" * (nbytes % 2))
        file.seek(start + _SIZE_FIELD)
        file.write(b"%-10d" % nbytes)
    path.chmod(0o644)


def refuse_larger(name: str, nbytes: int) -> None:
    if nbytes > LARGEST_BYTES:
        raise DataError(
            f"{name} would hold {nbytes} bytes, and a .deb takes at most {LARGEST_BYTES}",
            hint="bundle without archives: the folder root/ is what would be installed",
        )


def _member(file: BinaryIO, name: str, content: bytes) -> None:
    file.write(_header(name, len(content)) + content + b"\n" * (len(content) % 2))


def _header(name: str, nbytes: int) -> bytes:
    """Name, time, owner, group, mode, size."""
    return b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name.encode(), EPOCH_S, 0, 0, b"100644", nbytes)
