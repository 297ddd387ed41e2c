"""`edgeshrink devices`: every device a row in its order, asked side by side, nobody waited for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from recorded_devices import MARKER, PIXEL_8, answer

from edgeshrink.core.device import Address
from edgeshrink.devices.probing.parse import parse
from edgeshrink.engine import devices
from edgeshrink.errors import DeviceError

LISTING = """List of devices attached
R1 unauthorized usb:1-1
R2 device usb:1-2 product:shiba
R3 offline usb:1-3
R4 recovery usb:1-4
R5 no permissions (user in plugdev group?); see [http://developer.android.com] usb:1-5
R6 device usb:1-6
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """adb lists six phones; those that are asked answer when all of them have been asked."""
    adb = tmp_path / "adb"
    adb.write_text(f"#!/bin/sh\ncat <<'E'\n{LISTING}E\n")
    adb.chmod(0o755)
    monkeypatch.setenv("EDGESHRINK_ADB", str(adb))
    together, seen = threading.Barrier(3), list[str]()

    @contextmanager
    def answering(address: Address) -> Iterator[SimpleNamespace]:
        seen.append(str(address))
        together.wait(20)
        if address.name == "R6":
            raise DeviceError("adb:R6 broke", hint="mend it")
        yield SimpleNamespace(device=parse(answer(PIXEL_8), MARKER, str(address)).device)

    monkeypatch.setattr(devices, "attached", answering)
    return seen


def test_all_are_asked_at_once_and_stand_in_their_order(asked: list[str]) -> None:
    rows = devices.list_devices()
    assert sorted(asked) == ["adb:R2", "adb:R6", "local"]
    assert [row.address for row in rows] == ["local", *(f"adb:R{n}" for n in range(1, 7))]
    assert [row.address for row in rows if row.probed] == ["local", "adb:R2"]
    assert rows[6].error == "adb:R6 broke (mend it)"


def test_a_phone_that_is_not_ready_says_what_helps_and_is_not_waited_for(asked: list[str]) -> None:
    errors = {row.address: row.error for row in devices.list_devices()}
    assert errors["adb:R1"].startswith("unauthorized: unlock the phone and tap Allow")
    assert errors["adb:R3"].startswith("offline: unplug it")
    assert errors["adb:R4"].startswith("recovery: let it start Android")
    assert errors["adb:R5"].startswith("no permissions: ") and "apt install" in errors["adb:R5"]
