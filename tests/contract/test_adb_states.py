"""A device that adb lists and that is not ready: what is said, what is waited for, what helps."""

from __future__ import annotations

import re
import threading
import time

import pytest
from lab.adb_device import AndroidDevice

from edgeshrink.core.device import parse_address
from edgeshrink.devices.transports.adb import AdbTransport, attached
from edgeshrink.errors import DeviceError, DeviceLost


def _open(device: AndroidDevice, said: list[str] | None = None, *, authorize_s: float = 30.0) -> AdbTransport:
    say = (lambda _: None) if said is None else said.append
    return AdbTransport(parse_address(device.address), say=say, authorize_s=authorize_s, recover_s=15.0)


def test_what_adb_lists_is_seen_with_its_state(adb_device: AndroidDevice) -> None:
    assert (adb_device.serial, "device") in attached()


def test_an_empty_answer_without_adb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESHRINK_ADB", "no-such-adb")
    assert attached() == ()


def test_a_phone_that_never_allows_this_computer_is_said_so(adb_device: AndroidDevice) -> None:
    adb_device.authorize("deny")
    adb_device.connect()
    said: list[str] = []
    with pytest.raises(DeviceError, match="has not allowed this computer") as refused:
        _open(adb_device, said, authorize_s=1.0)
    assert "tap Allow" in refused.value.hint
    assert [sentence for sentence in said if "unlock the phone and tap Allow" in sentence] == said != []


def test_a_phone_that_allows_it_after_a_while_is_waited_for(adb_device: AndroidDevice) -> None:
    adb_device.authorize("allow 2")
    adb_device.connect()
    transport = _open(adb_device)
    assert transport.run(("echo", "hello")).stdout == "hello\n"


def test_a_device_that_went_offline_is_connected_anew(adb_device: AndroidDevice) -> None:
    transport = _open(adb_device)
    adb_device.cut()
    with pytest.raises(DeviceLost):
        transport.run(("true",), timeout_s=5)
    threading.Timer(1.0, adb_device.restore).start()
    assert transport.run(("echo", "back")).stdout == "back\n"


def test_a_device_that_does_not_come_back_is_lost(adb_device: AndroidDevice) -> None:
    adb_device.cut()
    with pytest.raises(DeviceLost):
        AdbTransport(parse_address(adb_device.address), recover_s=1.0).run(("true",), timeout_s=5)
    time.sleep(0.1)


def test_a_serial_that_is_not_attached_names_those_that_are(adb_device: AndroidDevice) -> None:
    with pytest.raises(DeviceLost, match="adb:R5CT900XYZ is not attached") as missing:
        AdbTransport(parse_address("adb:R5CT900XYZ"))
    assert re.search(rf"attached are: .*{re.escape(adb_device.serial)} \(device\)", missing.value.hint)
