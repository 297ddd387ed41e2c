"""This machine as a device: programs run directly, files are copied."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Unpack

from edgeshrink.core.device import Address, Probe
from edgeshrink.devices.probing.probe import probe
from edgeshrink.devices.transports.interface import Done, ProgramOptions
from edgeshrink.devices.transports.lines import Lines
from edgeshrink.devices.transports.process import run_program
from edgeshrink.errors import NO_SPACE, DeviceError, NoSpace

_CHUNK = 1 << 20


class LocalTransport:
    """No shell stands between: a program that is not there is status 127, one that may not run is 126."""

    address = Address("local")

    def run(
        self,
        argv: Sequence[str],
        *,
        on_line: Callable[[str], None] | None = None,
        **options: Unpack[ProgramOptions],
    ) -> Done:
        lines = None if on_line is None else Lines(on_line, "local")
        try:
            ended = run_program(argv, where="local", sink=lines, **options)
        except OSError as error:
            if error.filename is None and error.errno not in (errno.ENOEXEC, errno.E2BIG):
                raise
            return Done(127 if error.errno == errno.ENOENT else 126, "", f"{argv[0]}: {error.strerror}\n")
        if lines is not None:
            lines.end()
        return Done(ended.status, ended.stdout.decode("utf-8", "replace"), ended.stderr.decode("utf-8", "replace"))

    def push(self, source: Path, target: str) -> None:
        try:
            _copy(source, Path(target), None)
        except OSError as error:
            if error.errno in NO_SPACE:
                raise NoSpace(f"local: {target}: {error.strerror}", hint="free some space there") from error
            raise DeviceError(f"local: {target} cannot be written: {error.strerror}") from error

    def pull(self, source: str, target: Path, *, limit_bytes: int) -> None:
        try:
            whole = _copy(Path(source), target, limit_bytes)
        except OSError as error:
            if error.errno in NO_SPACE:
                raise NoSpace(f"{target}: {error.strerror}", hint="free some space there") from error
            raise DeviceError(f"local: {source} cannot be read: {error.strerror}") from error
        if not whole:
            raise DeviceError(f"local: {source} is larger than the {limit_bytes} bytes that are allowed")

    def probe(self, globs: Sequence[str] = (), commands: Sequence[str] = ()) -> Probe:
        return probe(self.run, self.address, globs, commands)

    def close(self) -> None:
        """There is no link to end."""


def _copy(source: Path, target: Path, limit_bytes: int | None) -> bool:
    """False where `source` is larger than allowed: then there is no `target`, as after any error on the way."""
    with source.open("rb") as reader:
        try:
            with target.open("wb") as writer:
                copied = 0
                while chunk := reader.read(_CHUNK):
                    copied += len(chunk)
                    if limit_bytes is not None and copied > limit_bytes:
                        break
                    writer.write(chunk)
                else:
                    return True
        except BaseException:
            _remove(target)
            raise
    _remove(target)
    return False


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
