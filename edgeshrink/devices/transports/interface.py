"""The one interface to a device: run a program there, bring files there and back, ask what it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, TypedDict

from edgeshrink.core.device import Address, Probe

OUTPUT_LIMIT = 4 << 20
"""Bytes of output that a device may send for one command, unless its caller expects more."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended. `status` is its exit status, 128 + n where signal n ended it, as a shell says it."""

    status: int
    stdout: str
    stderr: str


class ProgramOptions(TypedDict, total=False):
    """How a program is run, here or there: see `Transport.run`. Left out, it is as there."""

    stdin: bytes | IO[bytes] | None
    hold_stdin: bool
    timeout_s: float
    silence_s: float | None
    limit_bytes: int


class RunOptions(ProgramOptions, total=False):
    """All that `Transport.run` takes."""

    on_line: Callable[[str], None] | None


class Transport(Protocol):
    """A link to one device. What the device says is never evaluated; undecodable bytes are replaced."""

    @property
    def address(self) -> Address: ...

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | IO[bytes] | None = None,
        hold_stdin: bool = False,
        timeout_s: float = 60.0,
        silence_s: float | None = None,
        on_line: Callable[[str], None] | None = None,
        limit_bytes: int = OUTPUT_LIMIT,
    ) -> Done:
        """Run `argv` there, each word as it is given (a script: `("sh", "-c", script)`), and wait for its end.

        `on_line` gets each line of stdout as it comes (then `Done.stdout` is empty). `hold_stdin` keeps stdin open and
        empty until the end, so that a program may notice that the link is gone. DeviceLost where the link broke, the
        command outlived `timeout_s`, or no output came for `silence_s`; DeviceError where the output exceeds
        `limit_bytes` or the device refuses. Whatever the reason, including an exception in `on_line` and Ctrl-C, the
        local end (a client process) is gone when this returns.
        """
        ...

    def push(self, source: Path, target: str) -> None:
        """Copy the file to the absolute path `target`. NoSpace where the device is full; DeviceLost, DeviceError."""
        ...

    def pull(self, source: str, target: Path, *, limit_bytes: int) -> None:
        """Copy the device's file `source` to `target`; DeviceError where it is not there or larger than allowed."""
        ...

    def probe(self, globs: Sequence[str] = (), commands: Sequence[str] = ()) -> Probe:
        """What the device is; besides, the text of the small files that match `globs` and where `commands` are."""
        ...

    def close(self) -> None:
        """End the link and what was started for it here. May be called twice."""
        ...
