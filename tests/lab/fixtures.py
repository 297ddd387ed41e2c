"""pytest's fixtures: devices that are started once, and handed to each test clean.

A test that leaves a process or a file on a device fails, unless it sets `device.leaves_things`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from lab.adb_device import AdbServer, AndroidDevice, start_android
from lab.device import LabDevice
from lab.memory_group import remove_orphans
from lab.ssh_devices import SshClient, SshDevice, start_arm64, start_x86
from lab.unavailable import Unavailable, need_root, skip

_T = TypeVar("_T")
_D = TypeVar("_D", bound=LabDevice)


class Lab:
    """The devices of one test run. Each is started when it is first asked for; all end with the run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ends = ExitStack()
        self._made: dict[str, Any] = {}
        self._missing: dict[str, str] = {}

    def arm64(self) -> SshDevice:
        return self._device("arm64", lambda folder: start_arm64(self._ssh(), folder))

    def x86(self) -> SshDevice:
        return self._device("x86", lambda folder: start_x86(self._ssh(), folder))

    def android(self) -> AndroidDevice:
        return self._device("android", lambda folder: start_android(self.adb(), folder))

    def adb(self) -> AdbServer:
        return self._once("adb", lambda: AdbServer(self._folder / "adb"), AdbServer.stop)

    def close(self) -> None:
        self._ends.close()
        remove_orphans()

    def _ssh(self) -> SshClient:
        return self._once("ssh", lambda: SshClient(self._folder / "ssh"), lambda _client: None)

    def _device(self, name: str, start: Callable[[Path], _D]) -> _D:
        def make() -> _D:
            need_root()
            return start(Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._folder)))

        return self._once(name, make, LabDevice.stop)

    def _once(self, name: str, make: Callable[[], _T], end: Callable[[_T], None]) -> _T:
        if name in self._missing:
            skip(self._missing[name])
        if name not in self._made:
            try:
                made = make()
            except Unavailable as why:
                self._missing[name] = str(why)
                skip(str(why))
            self._made[name] = made
            self._ends.callback(end, made)
        return cast(_T, self._made[name])


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.fixture
def ssh_device(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshDevice]:
    """An arm64 Linux behind its own sshd, looking like a Jetson Orin Nano."""
    yield from _lend(lab.arm64(), monkeypatch)


@pytest.fixture
def x86_ssh_device(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshDevice]:
    """This machine's own programs behind its own sshd: fast, nothing is emulated."""
    yield from _lend(lab.x86(), monkeypatch)


@pytest.fixture
def adb_device(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[AndroidDevice]:
    """An Android-like arm64 device, connected to an adb server of the lab's own."""
    device = lab.android()
    device.connect()
    yield from _lend(device, monkeypatch)


def _lend(device: _D, monkeypatch: pytest.MonkeyPatch) -> Iterator[_D]:
    for name, value in device.environment.items():
        monkeypatch.setenv(name, value)
    yield device
    left = device.reset()
    assert not left, f"left on the device: {', '.join(left)}"
