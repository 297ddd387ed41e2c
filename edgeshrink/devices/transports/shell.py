"""What ssh and adb have in common: one command line for the shell there, and a mark by which its end is known.

Neither client tells a command that failed from a link that broke: ssh leaves with 255 for both (and for a command that
a signal ended), adb with 1. So the shell there says the status itself, behind a mark that is new for every command. No
mark: the link broke.
"""

from __future__ import annotations

import re
import secrets
import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from edgeshrink.core.device import Address, Probe
from edgeshrink.core.plain import plain
from edgeshrink.devices.probing.probe import probe
from edgeshrink.devices.transports.interface import OUTPUT_LIMIT, Done, ProgramOptions
from edgeshrink.devices.transports.lines import Lines
from edgeshrink.devices.transports.process import Ended, run_program
from edgeshrink.errors import NO_SPACE, DeviceError, DeviceLost, Error, NoSpace

SLOWEST_BYTES_S = 256 << 10
"""A link slower than this is taken for a broken one while a file is copied."""

_FULL = re.compile(r"No space left on device|Disk quota exceeded|not enough space", re.IGNORECASE)
_QUOTED = 300
_MARKS = re.compile(r"edgeshrink-[0-9a-f]{16}|^[0-9a-f]{32}[=+!.]")  # a command's end, a section of the probe's
_MEMORY = "A device that ran out of memory closes it, too: then a smaller model or a shorter --context helps"


@dataclass(frozen=True, slots=True)
class Marked:
    """A command line that says `mark:status` on stderr when it has ended."""

    script: str
    mark: str

    @classmethod
    def of(cls, argv: Sequence[str]) -> Marked:
        mark = f"edgeshrink-{secrets.token_hex(8)}"
        # In brackets, as a program named like a shell's own word (`exit`) would end more than itself.
        return cls(f"({shlex.join(argv)}); s=$?; echo {mark}:$s >&2; exit $s", mark)

    def read(self, text: str) -> tuple[int | None, str]:
        """The status that was said, and what was said besides."""
        before, found, after = text.rpartition(f"{self.mark}:")
        number = re.match(r"(\d{1,3})\r?(?:\n|$)", after)
        if not found or number is None:
            return None, text
        return int(number[1]), before + after[number.end() :]


class ShellTransport(ABC):
    """A device behind a client program. What differs is how the client is called and what its last words mean."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._apart = True
        """stdout and stderr come apart. Where not (an old Android), both are stdout, and come at the end."""

    def run(
        self,
        argv: Sequence[str],
        *,
        on_line: Callable[[str], None] | None = None,
        **options: Unpack[ProgramOptions],
    ) -> Done:
        lines = None if on_line is None else Lines(on_line, str(self.address))
        done = self._shell(argv, sink=lines, **options)
        if lines is not None:
            lines.end()
        return done

    def push(self, source: Path, target: str) -> None:
        with source.open("rb") as file:
            timeout_s = 60.0 + source.stat().st_size / SLOWEST_BYTES_S
            done = self._shell(("sh", "-c", 'exec cat > "$1"', "sh", target), stdin=file, timeout_s=timeout_s)
        if done.status:
            raise self._refused(f"{target} cannot be written", done.stderr)

    def pull(self, source: str, target: Path, *, limit_bytes: int) -> None:
        received = 0

        def receive(chunk: bytes) -> None:
            nonlocal received
            received += len(chunk)
            if received > limit_bytes:
                raise DeviceError(f"{self.address}: {source} is larger than the {limit_bytes} bytes that are allowed")
            file.write(chunk)

        part = target.with_name(f"{target.name}.part")
        try:
            with part.open("wb") as file:
                done = self._shell(
                    ("sh", "-c", 'exec cat < "$1"', "sh", source),
                    timeout_s=60.0 + limit_bytes / SLOWEST_BYTES_S,
                    silence_s=60.0,
                    sink=receive,
                    limit_bytes=limit_bytes + OUTPUT_LIMIT,
                )
            if done.status:
                raise self._refused(f"{source} cannot be read", done.stderr)
            part.replace(target)
        except OSError as error:
            if error.errno in NO_SPACE:
                raise NoSpace(f"{target}: {error.strerror}", hint="free some space there") from error
            raise
        finally:
            part.unlink(missing_ok=True)

    def probe(self, globs: Sequence[str] = (), commands: Sequence[str] = ()) -> Probe:
        return probe(self.run, self.address, globs, commands)

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def _client(self, script: str) -> tuple[str, ...]:
        """The local command line that has `script` run there; the link stands when this returns."""

    @abstractmethod
    def _broken(self, ended: Ended) -> Error:
        """What a client means that ended before the command did."""

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        """While a client runs; what is raised in it ended the client before its command."""
        yield

    def _environment(self) -> Mapping[str, str] | None:
        return None

    def _shell(
        self,
        argv: Sequence[str],
        *,
        sink: Callable[[bytes], None] | None = None,
        **options: Unpack[ProgramOptions],
    ) -> Done:
        command = Marked.of(argv)
        with self._in_use():
            ended = run_program(
                self._client(command.script),
                where=str(self.address),
                sink=sink if self._apart else None,
                env=self._environment(),
                **options,
            )
        stdout, stderr = (said.decode("utf-8", "replace") for said in (ended.stdout, ended.stderr))
        if self._apart:
            status, stderr = command.read(stderr)
        else:
            status, stdout = command.read(stdout.replace("\r\n", "\n"))
            stderr = ""
        if status is None:
            raise self._broken(ended)
        if sink is not None and not self._apart:  # the mark must not reach it, and comes last
            sink(stdout.encode())
            stdout = ""
        return Done(status, stdout, stderr)

    def _refused(self, what: str, said: str) -> Error:
        if _FULL.search(said):
            return NoSpace(f"{self.address}: {what}: the device is full", hint="free some space there")
        return DeviceError(f"{self.address}: {what}: {last_words(said)}")


def last_words(said: str, otherwise: str = "no reason was given") -> str:
    """The last line that says something, safe to show."""
    lines = [plain(line).strip() for line in said.splitlines()]
    return next((line for line in reversed(lines) if line), otherwise)[:_QUOTED]


def link_broke(address: Address, said: str, hint: str) -> DeviceLost:
    """A command that ended without its mark. `said`: the client's words on it; marks of ours are never quoted."""
    words = last_words("\n".join(line for line in said.splitlines() if not _MARKS.search(line)), "")
    if words:
        return DeviceLost(f"{address}: the link broke: {words}", hint=hint)
    return DeviceLost(f"{address}: the link broke: the connection closed", hint=f"{hint}. {_MEMORY}")
