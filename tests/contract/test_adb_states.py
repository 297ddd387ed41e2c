"""A device that adb lists and that is not ready: what is said, what is waited for, what helps."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from lab.adb_device import AndroidDevice

from edgeshrink.core.device import parse_address
from edgeshrink.core.events import Progress, notice
from edgeshrink.devices.transports.adb import AdbTransport, attached
from edgeshrink.devices.transports.interface import Done
from edgeshrink.engine.attached import attached as engine_attached
from edgeshrink.engine.devices import list_devices
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


def test_what_a_phone_waits_for_is_told_once_to_whoever_profiles(adb_device: AndroidDevice) -> None:
    adb_device.authorize("allow 2")
    adb_device.connect()
    said: list[Progress] = []
    with engine_attached(parse_address(adb_device.address), said.append):
        pass
    assert said == [notice(said[0].task)] and "unlock the phone and tap Allow" in said[0].task


def test_the_listing_says_what_state_a_phone_is_in_and_waits_for_nothing(
    adb_device: AndroidDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeshrink.devices.transports.adb.AdbTransport._ready", _never)
    adb_device.authorize("deny")
    adb_device.connect()
    (row,) = list_devices((parse_address(adb_device.address),))
    assert row.probed is None
    assert row.error.startswith("unauthorized: unlock the phone and tap Allow")


def _never(_: AdbTransport) -> None:
    raise AssertionError("it was waited for")


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


def test_a_serial_that_is_not_attached_names_those_that_are(adb_device: AndroidDevice) -> None:
    with pytest.raises(DeviceLost, match="adb:R5CT900XYZ is not attached") as missing:
        AdbTransport(parse_address("adb:R5CT900XYZ"))
    assert re.search(rf"attached are: .*{re.escape(adb_device.serial)} \(device\)", missing.value.hint)


def test_an_old_android_says_its_status_and_its_files_all_the_same(
    adb_device: AndroidDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = _open(adb_device)
    monkeypatch.setattr(transport, "_apart", False)  # as before Android 7: one stream, no exit status
    for status in (0, 3, 255):
        assert transport.run(("sh", "-c", f"echo out; echo err >&2; exit {status}")) == Done(status, "out\nerr\n", "")
    lines: list[str] = []
    assert transport.run(("printf", "a\nb"), on_line=lines.append).status == 0
    assert lines == ["a", "b"]
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 100)
    transport.push(source, "/data/local/tmp/old")
    transport.pull("/data/local/tmp/old", tmp_path / "back", limit_bytes=30_000)
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    with pytest.raises(DeviceError, match="larger than allowed"):
        transport.pull("/data/local/tmp/old", tmp_path / "back", limit_bytes=3)
    with pytest.raises(DeviceError, match="cannot be read"):
        transport.pull("/data/local/tmp/nothing", tmp_path / "back", limit_bytes=3)
    assert transport.run(("rm", "/data/local/tmp/old")).status == 0
