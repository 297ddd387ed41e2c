"""A phone or tablet behind the `adb` executable, which owns USB, pairing and keys."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edgeshrink.core.device import Address
from edgeshrink.core.plain import plain
from edgeshrink.devices.transports.process import Ended, run_program
from edgeshrink.devices.transports.shell import SLOWEST_BYTES_S, ShellTransport, last_words, link_broke
from edgeshrink.errors import DeviceError, DeviceLost, Error, ToolMissing
from edgeshrink.toolchain import adb

AUTHORIZE_S = 60.0
"""How long the person has to unlock the phone and allow this computer."""

RECOVER_S = 10.0
"""How long a device may take to come back after it was asked to."""

_CALL_S = 20.0
_PULSE_S = 10.0
_POLL_S = 0.5
_HELP_S = 3.0
_HELP_EVERY_S = 4.0
_LISTING_BYTES = 256 << 10
_ADBS = re.compile(r"(adb(\.exe)?|error): ")
_UNUSABLE = ("bootloader", "recovery", "rescue", "sideload", "host")
_ALLOW = "unlock the phone and tap Allow in the question that it shows (Allow USB debugging?)"
_PERMIT = "Debian, Ubuntu: sudo apt install android-sdk-platform-tools-common, then plug it in again"
_START = "let it start Android"
_REPLUG = "unplug it and plug it in again, or `adb reconnect offline`, or switch USB debugging off and on"


def attached() -> tuple[tuple[str, str], ...]:
    """The serial and state of every device that adb lists ("device", "unauthorized", "offline", "no permissions").

    The adb server is started where none runs. Empty without adb; DeviceError, DeviceLost where its server fails.
    """
    try:
        program = adb.command()
    except ToolMissing:
        return ()
    return _listed(program)


def not_ready(state: str) -> str:
    """Why a device that adb lists in this state cannot be used now, and what helps; "" where it can."""
    helps = {"unauthorized": _ALLOW, "no permissions": _PERMIT, **dict.fromkeys(_UNUSABLE, _START)}
    return "" if state == "device" else f"{state}: {helps.get(state, _REPLUG)}"


def parse_listing(text: str) -> tuple[tuple[str, str], ...]:
    """The serials and states in the output of `adb devices -l`."""
    _, _, rows = text.partition("List of devices attached")
    found = []
    for row in rows.splitlines():
        match = re.match(r"(\S+)\s+(no permissions|[a-z]+)\b", row.strip())
        if match and plain(match[1]) == match[1]:
            found.append((match[1], match[2]))
    return tuple(found)


class AdbTransport(ShellTransport):
    """Open when made: the device is listed, authorized and online. One that was lost is looked for again."""

    def __init__(
        self,
        address: Address,
        *,
        say: Callable[[str], None] = lambda _: None,
        authorize_s: float = AUTHORIZE_S,
        recover_s: float = RECOVER_S,
    ) -> None:
        super().__init__(address)
        self._program = adb.command()
        self._say = say
        self._authorize_s = authorize_s
        self._recover_s = recover_s
        self._doubtful = False
        self._ready()
        # Before Android 7 there is one stream, through a terminal, and no exit status.
        self._apart = "shell_v2" in self._call("-s", address.name, "features").split()

    def close(self) -> None:
        """The adb server is the user's: it stays, as do the devices that it knows."""

    def push(self, source: Path, target: str) -> None:
        if self._doubtful:
            self._ready()
        with self._in_use():
            ended = run_program(
                (*self._program, "-s", self.address.name, "push", str(source.absolute()), target),
                where=str(self.address),
                timeout_s=60.0 + source.stat().st_size / SLOWEST_BYTES_S,
                watch=self._pulse,
            )
        if ended.status:
            said = (ended.stdout + ended.stderr).decode("utf-8", "replace")
            # What the device itself refuses, adb marks with this word; all else is the link.
            refused = re.search(r"failed to copy .*: remote (.*)", said)
            raise self._refused(f"{target} cannot be written", refused[1]) if refused else self._broken(ended)

    def pull(self, source: str, target: Path, *, limit_bytes: int) -> None:
        if self._apart:
            super().pull(source, target, limit_bytes=limit_bytes)
            return
        # A terminal would change the bytes on their way.
        size = self.run(("sh", "-c", 'wc -c < "$1"', "sh", source)).stdout.strip()
        if not size.isdecimal() or int(size) > limit_bytes:
            raise DeviceError(f"{self.address}: {source} cannot be read, or is larger than allowed: {plain(size)[:80]}")
        self._call("-s", self.address.name, "pull", source, str(target.absolute()), timeout_s=600.0)

    def _client(self, script: str) -> tuple[str, ...]:
        if self._doubtful:
            self._ready()
        return (*self._program, "-s", self.address.name, "shell", "-T" if self._apart else "-x", script)

    def _broken(self, ended: Ended) -> Error:
        self._doubtful = True
        said = (ended.stdout[-4096:] + b"\n" + ended.stderr).decode("utf-8", "replace")
        # What the command itself said comes the same way.
        return link_broke(self.address, "\n".join(line for line in said.splitlines() if _ADBS.match(line)), _LOST)

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        try:
            yield
        except DeviceLost:
            self._doubtful = True
            raise

    def _ready(self) -> None:
        """Wait until the device is online, and help it. DeviceError, DeviceLost with what to do."""
        began = time.monotonic()
        helped: float | None = None
        asked = False
        while True:
            devices = dict(_listed(self._program))
            state = devices.get(self.address.name, "missing")
            waited = time.monotonic() - began
            if state == "device":
                self._doubtful = False
                return
            if state == "no permissions":
                raise DeviceError(
                    f"{self.address}: this user may not use the USB device",
                    hint=_PERMIT,
                )
            if state in _UNUSABLE:
                raise DeviceError(f"{self.address} is in the state {state!r}", hint=_START)
            if state == "unauthorized":
                if not asked:
                    asked = True
                    self._say(f"{self.address}: {_ALLOW}")
                if waited > self._authorize_s:
                    raise DeviceError(f"{self.address} has not allowed this computer", hint=_ALLOW)
            elif waited > self._recover_s:
                listed = state != "missing"
                hint = _REPLUG if listed else _others(devices, self.address.name)
                raise DeviceLost(f"{self.address} is {state}", hint=hint)
            elif helped is None or waited - helped > _HELP_EVERY_S:
                helped = waited
                if not self._help(state):
                    raise DeviceLost(f"{self.address} is not attached", hint=_others(devices, self.address.name))
            time.sleep(_POLL_S)

    def _help(self, state: str) -> bool:
        """Do what may bring the device online; False where only its user can."""
        serial = self.address.name
        if re.fullmatch(r".+:\d+", serial):
            # After a device died adb says "already connected", and stays offline.
            if state != "missing":
                self._call("disconnect", serial)
            with contextlib.suppress(DeviceLost):  # adb's server goes on with it
                self._call("connect", serial, timeout_s=_HELP_S)
            return True
        if state == "offline":
            self._call("reconnect", "offline")
        return state != "missing" or self._doubtful

    def _pulse(self) -> None:
        """Does it answer while a file is copied? adb itself waits for ever."""
        run_program(
            (*self._program, "-s", self.address.name, "shell", "true"), where=str(self.address), timeout_s=_PULSE_S
        )

    def _call(self, *arguments: str, timeout_s: float = _CALL_S) -> str:
        return _call(self._program, *arguments, timeout_s=timeout_s)


_LOST = "is it plugged in, or on and in the network? Then try again: what is left there is cleaned first"


def _listed(program: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return parse_listing(_call(program, "devices", "-l"))


def _call(program: Sequence[str], *arguments: str, timeout_s: float = _CALL_S) -> str:
    """What `adb ARGUMENTS` prints, whatever its status: the state of the device says whether it helped."""
    ended = run_program((*program, *arguments), where="adb", timeout_s=timeout_s, limit_bytes=_LISTING_BYTES)
    text = ended.stdout.decode("utf-8", "replace")
    if ended.status and arguments[0] == "devices":
        said = last_words(ended.stderr.decode("utf-8", "replace"))
        raise DeviceError(f"adb: its server does not work: {said}", hint="`adb kill-server`, then `adb devices`")
    return text


def _others(devices: dict[str, str], serial: str) -> str:
    others = ", ".join(f"{plain(name)} ({state})" for name, state in devices.items() if name != serial)
    attach = "plug it in, allow USB debugging in its developer options, and see `adb devices`"
    return f"attached are: {others}" if others else f"no other device is attached: {attach}"
