"""adbd's services `shell,v2`, `shell` and `exec`: a command in the device's shell, its streams and its exit status."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import IO

from lab.adb_protocol import Gone, Stream

_STDIN, _STDOUT, _STDERR, _EXIT, _CLOSE_STDIN = range(5)
SHELL = "/system/bin/sh"


def start(command: str, environment: Mapping[str, str], *, merged: bool) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [SHELL, "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        env=dict(environment),
        cwd="/",
        start_new_session=True,
    )


def plain(stream: Stream, process: subprocess.Popen[bytes]) -> None:
    """Output as it comes, no status: `exec:` and the `shell:` of Android before 7."""
    threading.Thread(target=_feed_plain, args=(stream, process), daemon=True).start()
    with _hung_up_on_loss(process):
        _pump(process.stdout, stream.write)
        process.wait()


def with_status(stream: Stream, process: subprocess.Popen[bytes]) -> None:
    """Packets of (kind, length, bytes); the last one is the exit status, 128 + n where signal n ended the shell."""
    threading.Thread(target=_feed_packets, args=(stream, process), daemon=True).start()

    def forward(source: IO[bytes] | None, kind: int) -> None:
        with _hung_up_on_loss(process):
            _pump(source, lambda data: stream.write(struct.pack("<BI", kind, len(data)) + data))

    errors = threading.Thread(target=forward, args=(process.stderr, _STDERR), daemon=True)
    errors.start()
    forward(process.stdout, _STDOUT)
    errors.join()
    status = process.wait()
    stream.write(struct.pack("<BIB", _EXIT, 1, status if status >= 0 else 128 - status))


def _pump(source: IO[bytes] | None, write: Callable[[bytes], None]) -> None:
    assert source
    with source:
        while data := os.read(source.fileno(), 1 << 16):
            write(data)


def _feed_plain(stream: Stream, process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError, ValueError), _hung_up_on_loss(process), _closed_at_end(process):
        while True:
            _give(process, stream.read_some())


def _feed_packets(stream: Stream, process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    with contextlib.suppress(OSError, ValueError), _hung_up_on_loss(process), _closed_at_end(process):
        while True:
            kind, length = struct.unpack("<BI", stream.read(5))
            data = stream.read(length)
            if kind == _STDIN:
                _give(process, data)
            elif kind == _CLOSE_STDIN:
                process.stdin.close()


def _give(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(data)
        process.stdin.flush()


@contextlib.contextmanager
def _closed_at_end(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        if process.stdin:
            with contextlib.suppress(OSError):
                process.stdin.close()


@contextlib.contextmanager
def _hung_up_on_loss(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """As adbd does it: a lost client sends SIGHUP to the shell itself, not to what the shell has started."""
    try:
        yield
    except Gone:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGHUP)
            process.wait()
