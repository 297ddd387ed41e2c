"""adbd's service `sync`: files to the device and back."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

from lab.adb_protocol import Stream

_CHUNK = 1 << 16


def sync(stream: Stream) -> None:
    """Answer requests until QUIT."""
    answers: dict[bytes, Callable[[Stream, str], None]] = {
        b"STAT": _stat,
        b"LIST": _list,
        b"RECV": _send,
        b"SEND": _take,
    }
    while True:
        request, length = _header(stream)
        if request == b"QUIT":
            return
        answer = answers.get(request)
        if answer is None:
            _fail(stream, f"unknown request {request!r}")
            return
        answer(stream, os.fsdecode(stream.read(length)))


def _header(stream: Stream) -> tuple[bytes, int]:
    name, number = struct.unpack("<4sI", stream.read(8))
    return name, number


def _fail(stream: Stream, why: str) -> None:
    stream.write(struct.pack("<4sI", b"FAIL", len(why.encode())) + why.encode())


def _about(file: os.stat_result | None) -> tuple[int, int, int]:
    return (file.st_mode, file.st_size & 0xFFFFFFFF, int(file.st_mtime)) if file else (0, 0, 0)


def _stat(stream: Stream, name: str) -> None:
    try:
        file = os.lstat(name)
    except OSError:
        file = None
    stream.write(struct.pack("<4s3I", b"STAT", *_about(file)))


def _list(stream: Stream, name: str) -> None:
    try:
        entries = list(os.scandir(name))
    except OSError:
        entries = []
    for entry in entries:
        encoded = os.fsencode(entry.name)
        about = _about(entry.stat(follow_symlinks=False))
        stream.write(struct.pack("<4s4I", b"DENT", *about, len(encoded)) + encoded)
    stream.write(struct.pack("<4s4I", b"DONE", 0, 0, 0, 0))


def _send(stream: Stream, name: str) -> None:
    """RECV: the host receives."""
    try:
        with Path(name).open("rb") as file:
            while data := file.read(_CHUNK):
                stream.write(struct.pack("<4sI", b"DATA", len(data)) + data)
    except OSError as error:
        _fail(stream, f"{error.strerror}")
        return
    stream.write(struct.pack("<4sI", b"DONE", 0))


def _take(stream: Stream, request: str) -> None:
    """SEND: the whole file is read, even where it cannot be stored, and the answer comes at its end.

    As adbd does it: what could not be written wholly is removed, but what came before the link broke stays.
    """
    name, _, mode = request.rpartition(",")
    path = Path(name)
    failure = _attempt(_make_empty, path)
    while (header := _header(stream))[0] == b"DATA":
        data = stream.read(header[1])
        if failure is None and (failure := _attempt(_append, path, data)):
            path.unlink(missing_ok=True)
    if failure is None:
        path.chmod(int(mode) & 0o777)
        os.utime(path, (header[1], header[1]))
        stream.write(struct.pack("<4sI", b"OKAY", 0))
    else:
        _fail(stream, f"couldn't write: {failure.strerror}")


def _attempt(work: Callable[..., None], *arguments: object) -> OSError | None:
    try:
        work(*arguments)
    except OSError as error:
        return error
    return None


def _make_empty(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(0o600)


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
