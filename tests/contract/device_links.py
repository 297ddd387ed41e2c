"""Open links to this machine and to the lab's devices, for the tests of what every link promises."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from lab.device import LabDevice

from edgeshrink.core.device import parse_address
from edgeshrink.core.events import Listener, silent
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.transports.registry import open_transport
from edgeshrink.devices.workspace import Workspace, open_workspace

LINKS = {"local": "", "ssh": "x86_ssh_device", "arm64 ssh": "ssh_device", "adb": "adb_device"}
FAST = ("local", "ssh", "adb")


@dataclass
class Link:
    """An open transport, a folder on its device that may be written to, and the device where it is not this machine."""

    transport: Transport
    folder: str
    device: LabDevice | None
    leftovers: Path

    def processes(self) -> tuple[str, ...]:
        """What of ours runs there: on this machine, in a workspace."""
        if self.device is not None:
            return tuple(words for words in self.device.processes() if _is_program(words))
        return tuple(_processes_in(f"{self.folder}/edgeshrink-"))

    def wait_for_no_process(self) -> None:
        end = time.monotonic() + 20
        while (left := self.processes()) and time.monotonic() < end:
            time.sleep(0.05)
        assert not left

    def is_there(self, path: str) -> bool:
        return self.transport.run(("test", "-e", path)).status == 0

    @contextmanager
    def workspace(self, *, keep: bool = False, listener: Listener = silent) -> Iterator[Workspace]:
        with open_workspace(self.transport, keep=keep, leftovers=self.leftovers, listener=listener) as workspace:
            yield workspace

    def notes(self) -> list[Path]:
        return sorted(self.leftovers.glob("*")) if self.leftovers.exists() else []


def _is_program(words: str) -> bool:
    """ssh's connection itself is a `cat` that lives as long as the transport does."""
    return bool(words) and words.split() not in (["cat"], ["/usr/bin/cat"])


def _processes_in(folder: str) -> Iterator[str]:
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(folder):
                yield " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


@pytest.fixture(params=FAST)
def link(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    yield from _open(request, tmp_path, monkeypatch)


@pytest.fixture(params=("ssh", "adb"))
def remote(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    """A link that can break."""
    yield from _open(request, tmp_path, monkeypatch)


def _open(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    fixture = LINKS[request.param]
    if not fixture:
        here = tmp_path / "home"
        here.mkdir()
        monkeypatch.setenv("HOME", str(here))
        device, folder = None, str(here)
    else:
        device = request.getfixturevalue(fixture)
        folder = "/data/local/tmp" if request.param == "adb" else "/home/lab"
    transport = open_transport(parse_address(device.address if device else "local"))
    try:
        yield Link(transport, folder, device, tmp_path / "leftovers")
    finally:
        transport.close()


def some_file(tmp_path: Path, size: int, name: str = "source") -> tuple[Path, str]:
    path = tmp_path / name
    path.write_bytes(os.urandom(size))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


class Stop(Exception):
    """What a caller's callback raises."""


def count_pushes(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    pushes: list[str] = []
    push = transport.push

    def counted(source: Path, target: str) -> None:
        pushes.append(target)
        push(source, target)

    monkeypatch.setattr(transport, "push", counted)
    return pushes
