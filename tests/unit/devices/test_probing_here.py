"""The probe of this very machine agrees with what the machine's own libraries say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psutil
import pytest
from probe_assertions import assert_sound_probe

from edgeshrink.core.device import Address, Probe
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.devices import cpu, state
from edgeshrink.devices.local import host_facts
from edgeshrink.devices.probing.probe import probe
from edgeshrink.devices.transports.interface import Done
from edgeshrink.errors import DeviceError, UsageError

pytestmark = pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="no sh here")


def run(argv: Sequence[str], **_: Any) -> Done:
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=60)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def here() -> Probe:
    return probe(run, Address("local"), ("/proc/loadavg", "/nowhere/*"), ("sh", "no-such-program"))


def test_it_is_the_machine_that_psutil_sees(here: Probe) -> None:
    device = here.device
    assert_sound_probe(here, machine=os.uname().machine)
    assert device.address == "local" and device.kernel == f"{os.uname().sysname} {os.uname().release}"
    assert device.cores == psutil.cpu_count(logical=False)
    assert device.ram_bytes == psutil.virtual_memory().total
    assert abs(device.available_bytes - psutil.virtual_memory().available) < 0.3 * device.ram_bytes
    assert device.page_bytes == os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="a Mac's own id is not read by host_facts")
def test_it_is_the_machine_that_sessions_here_are_kept_for(here: Probe) -> None:
    assert here.device.id == host_facts().id
    assert here.device.cpu == cpu.cpu_name().value
    assert here.device.cpu_features == cpu.isa_features()[0]
    assert here.device.names == cpu.hardware_names()[0]
    assert (here.device.governor or state.NO_GOVERNOR) == state.governor()


def test_files_and_programs_that_were_asked_for(here: Probe) -> None:
    assert here.shown["command:sh"].startswith("/")
    assert "command:no-such-program" not in here.shown
    if sys.platform == "linux":
        assert here.shown["/proc/loadavg"].count(".") >= 3


def test_one_round_trip_and_one_that_is_bounded() -> None:
    calls: list[dict[str, Any]] = []

    def counted(argv: Sequence[str], **more: Any) -> Done:
        assert argv[:2] == ("sh", "-c") and len(argv[2]) < 16_000
        calls.append(more)
        return run(argv)

    probe(counted, Address("local"))
    assert [sorted(more) for more in calls] == [["limit_bytes", "timeout_s"]]


def test_each_probe_has_a_marker_of_its_own() -> None:
    scripts: list[str] = []

    def kept(argv: Sequence[str], **_: Any) -> Done:
        scripts.append(argv[2])
        return run(argv)

    probe(kept, Address("local"))
    probe(kept, Address("local"))
    assert scripts[0] != scripts[1]


def test_a_device_without_a_shell_says_what_it_said() -> None:
    with pytest.raises(DeviceError, match=r"ssh:box: .* not found") as caught:
        probe(lambda *_, **__: Done(127, "", "\x1b[31msh: not found"), Address("ssh", "box"))
    assert "\x1b" not in caught.value.message


def test_a_pattern_is_refused_before_the_device_is_asked() -> None:
    def never(*_: Any, **__: Any) -> Done:
        raise AssertionError("the device was asked")

    with pytest.raises(UsageError):
        probe(never, Address("local"), ("/sys/$(reboot)",))


def test_the_state_here_is_what_psutil_sees(here: Probe) -> None:
    from edgeshrink.devices.device_state import device_state

    class Here:
        run = staticmethod(run)

    seen = device_state(Here())  # type: ignore[arg-type]
    assert isinstance(seen.available_ram_bytes, Measured) and isinstance(seen.load_1min, Measured)
    assert abs(seen.available_ram_bytes.value - psutil.virtual_memory().available) < 0.3 * here.device.ram_bytes
    assert abs(seen.load_1min.value - psutil.getloadavg()[0]) < 5
    if sys.platform == "linux":
        known = state.host_state()
        assert seen.governor == known.governor
        assert isinstance(seen.temperature_c, Unmeasured) == isinstance(known.temperature_c, Unmeasured)
        assert isinstance(seen.frequency_mhz, Unmeasured) == isinstance(known.frequency_mhz, Unmeasured)
        assert replace(seen.load_1min, value=0.0) == replace(known.load_1min, value=0.0)  # type: ignore[type-var]
