"""What an ELF file's headers say: for which machine it is, whether it needs a loader, how its segments are aligned.

Source: the System V ABI, chapters "ELF header" and "Program header".
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edgeshrink.errors import DataError

MACHINES = {40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv"}
"""e_machine -> the name that `uname -m` uses."""
_MAGIC, _CLASS_64, _LITTLE = b"\x7fELF", 2, 1
_LOAD, _INTERPRETER = 1, 3
_HEADER_BYTES, _MOST_SEGMENTS, _LONGEST_PATH = 64, 128, 4096


@dataclass(frozen=True, slots=True)
class ElfHeaders:
    """`interpreter` is the loader that the file asks for, "" where it is static. `page_bytes`: the smallest alignment
    of a LOAD segment; a kernel with larger pages cannot map the file."""

    machine: str
    interpreter: str
    page_bytes: int

    @property
    def static(self) -> bool:
        return not self.interpreter


def read_elf(path: Path) -> ElfHeaders:
    """Read a 64-bit little-endian ELF file's headers. DataError where it is none, or is cut short."""
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
        if len(head) < _HEADER_BYTES or head[:4] != _MAGIC:
            raise DataError(f"{path} is no ELF file")
        if head[4] != _CLASS_64 or head[5] != _LITTLE:
            raise DataError(f"{path} is no 64-bit little-endian ELF file")
        (machine,) = struct.unpack_from("<H", head, 18)
        (table,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        if size < 56 or not 0 < count <= _MOST_SEGMENTS:
            raise DataError(f"{path} has no program headers that could be read")
        rows = _at(file, table, size * count)
        if len(rows) < size * count:
            raise DataError(f"{path} ends within its program headers")
        interpreter, alignments = "", []
        for start in range(0, size * count, size):
            kind, _, offset, _, _, nbytes, _, alignment = struct.unpack_from("<IIQQQQQQ", rows, start)
            if kind == _LOAD:
                alignments.append(alignment)
            elif kind == _INTERPRETER:
                interpreter = _at(file, offset, min(nbytes, _LONGEST_PATH)).rstrip(b"\0").decode("utf-8", "replace")
                if not interpreter:
                    raise DataError(f"{path} names its loader outside of itself")
    if not alignments:
        raise DataError(f"{path} loads nothing")
    return ElfHeaders(MACHINES.get(machine, f"machine {machine}"), interpreter, min(alignments))


def _at(file: BinaryIO, offset: int, nbytes: int) -> bytes:
    """Nothing where the file has no such place: an offset may be more than any file has."""
    if offset > os.fstat(file.fileno()).st_size:
        return b""
    file.seek(offset)
    return file.read(nbytes)
