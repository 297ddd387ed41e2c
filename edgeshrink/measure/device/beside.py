"""A program on the device beside the runner, every line of it stamped with the device's clock since boot."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from edgeshrink.devices.workspace import Workspace
from edgeshrink.errors import Error
from edgeshrink.measure.power.interface import RawSample

# `$1` is the file whose appearance ends it. A program that lost its reader ends of SIGPIPE with its next line.
# macOS has no /proc/uptime, nor another such clock that a shell can read: there lines are stamped as they come in.
_STAMPED = """
end=$1; shift
rm -f "$end"
"$@" | while read -r line; do
  [ -e "$end" ] && break
  up=-
  [ -r /proc/uptime ] && read -r up rest </proc/uptime
  printf '%s %s\\n' "$up" "$line"
done
"""
_MOST_LINES = 200_000
_LONGEST_LINE = 4096
_SILENCE_S = 20.0
_JOIN_S = 30.0
_STAMP = re.compile(r"(\d{1,10}\.\d{1,9}|-) (.*)")


class DeviceClock:
    """The device's clock since boot as seen from here, once the runner has said its time."""

    def __init__(self) -> None:
        self._ahead: float | None = None

    def set(self, device_s: float) -> None:
        self._ahead = device_s - time.monotonic()

    def now(self) -> float | None:
        return None if self._ahead is None else self._ahead + time.monotonic()


class Beside:
    """Runs `argv` in a thread of its own while the block lasts; `()` runs nothing.

    `trouble` says afterwards why it ended before it was told to; "" where it did not. Lines that are no stamped text
    are left out.
    """

    def __init__(
        self, workspace: Workspace, argv: Sequence[str], *, name: str, clock: DeviceClock, timeout_s: float
    ) -> None:
        self._workspace = workspace
        self._clock = clock
        self._argv = tuple(argv)
        self._end = f"end-{name}"
        self._timeout_s = timeout_s
        self._told = False
        self._thread = threading.Thread(target=self._run, name=f"beside {name}", daemon=True)
        self.samples: list[RawSample] = []
        self.trouble = ""

    def __enter__(self) -> Self:
        if self._argv:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._argv:
            return
        self._told = True
        if kind is None:
            with suppress(Error):  # the link is down: its silence ends the thread
                self._workspace.run(("touch", self._end), timeout_s=20)
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            done = self._workspace.run(
                ("sh", "-c", _STAMPED, "sh", self._end, *self._argv),
                timeout_s=self._timeout_s,
                silence_s=_SILENCE_S,
                on_line=self._add,
                limit_bytes=_MOST_LINES * 256,
            )
        except Error as error:
            self.trouble = "" if self._told else error.message
            return
        if not self._told:
            self.trouble = f"{self._argv[0]} ended by itself (status {done.status})"

    def _add(self, line: str) -> None:
        match = _STAMP.fullmatch(line[:_LONGEST_LINE])
        if match is None or len(self.samples) >= _MOST_LINES:
            return
        at_s = self._clock.now() if match[1] == "-" else float(match[1])
        if at_s is not None:
            self.samples.append(RawSample(at_s, (match[2],)))
