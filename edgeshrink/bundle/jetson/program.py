"""Whether a native runner is one that a Jetson starts, and whether it computes on the GPU.

Source: the System V ABI, chapter "Dynamic Linking".
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.core.plain import plain
from edgeshrink.errors import DataError, UsageError
from edgeshrink.toolchain.elf import read_elf

MACHINE = "aarch64"
_LOADER = "/lib/ld-linux-aarch64.so.1"
_GLIBC = (_LOADER.rpartition("/")[2], "libc.so.", "libm.so.", "libdl.so.", "libpthread.so.", "librt.so.")
_COMPILERS = {"libstdc++.so.": "libstdc++6", "libgcc_s.so.": "libgcc-s1", "libgomp.so.": "libgomp1"}
_CUDA = ("libcuda.so", "libcudart.so", "libcublas.so", "libcublasLt.so")
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRINGS, _STRINGS_BYTES = 1, 5, 10
_LONGEST_NAME = 256
_HINT = "name the runner of your build with --runner, or leave it away: one is built for the profile"


@dataclass(frozen=True, slots=True)
class DeviceProgram:
    """`depends`: Debian packages that it needs beside the system itself. `cuda`: NVIDIA's libraries are JetPack's."""

    depends: tuple[str, ...]
    cuda: bool


def device_program(path: Path) -> DeviceProgram:
    """UsageError says why the file is no program for a Jetson."""
    try:
        headers = read_elf(path)
        if headers.machine != MACHINE:
            raise UsageError(f"{path} is a program for {headers.machine}; a Jetson runs {MACHINE}", hint=_HINT)
        if headers.static:
            return DeviceProgram((), cuda=False)
        if headers.interpreter != _LOADER:
            wanted = plain(headers.interpreter)
            raise UsageError(f"{path} asks for the loader {wanted}, which a Jetson has not: {_LOADER}", hint=_HINT)
        libraries = tuple(_libraries(path))
    except DataError as error:
        raise UsageError(error.message, hint=_HINT) from error
    depends = {package for name in libraries for start, package in _COMPILERS.items() if name.startswith(start)}
    known = (*_GLIBC, *_COMPILERS, *_CUDA)
    if strange := [plain(name) for name in libraries if not name.startswith(known)]:
        raise UsageError(f"{path} needs {', '.join(strange)}, which is not in the bundle", hint="link it statically")
    cuda = any(name.startswith(_CUDA) for name in libraries)
    return DeviceProgram(tuple(sorted({"libc6 (>= 2.31)", *depends})), cuda)


def speaks(path: Path, version: str) -> bool:
    """Whether the runner's text names that engine version: it cannot be run here to be asked."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        return view.find(version.encode() + b"\0") >= 0


def _libraries(path: Path) -> Iterator[str]:
    """The names of the shared libraries that the file asks for."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        try:
            (table,) = struct.unpack_from("<Q", view, 32)
            size, count = struct.unpack_from("<HH", view, 54)
            segments = [struct.unpack_from("<IIQQQQ", view, table + size * index) for index in range(count)]
            loads = [(at, offset, nbytes) for kind, _, offset, at, _, nbytes in segments if kind == _LOAD]
            dynamic = next(((row[2], row[5]) for row in segments if row[0] == _DYNAMIC), (0, 0))
            pairs = list(struct.iter_unpack("<QQ", view[dynamic[0] : dynamic[0] + dynamic[1] // 16 * 16]))
        except struct.error as error:
            raise DataError(f"{path} has no dynamic section that could be read") from error
        values = {tag: value for tag, value in pairs if tag in (_STRINGS, _STRINGS_BYTES)}
        place = values.get(_STRINGS, 0)
        offset = next((offset + place - at for at, offset, nbytes in loads if at <= place < at + nbytes), None)
        if offset is None:
            raise DataError(f"{path} names its libraries outside of itself")
        strings = view[offset : offset + values.get(_STRINGS_BYTES, 0)]
        for tag, value in pairs:
            if tag == _NEEDED:
                yield strings[value : value + _LONGEST_NAME].partition(b"\0")[0].decode("utf-8", "replace")
