"""The probe over real links to emulated devices: real ssh and adb, real arm64 dash, mksh and toybox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from lab.device import LabDevice
from probe_assertions import assert_sound_probe
from recorded_devices import DUMPSYS_THERMAL, MARKER, ORIN_NANO, PIXEL_8

from edgeshrink.catalog.profiles import load_profiles
from edgeshrink.core.device import Battery, ThermalZone, parse_address
from edgeshrink.core.reading import Measured
from edgeshrink.devices.device_state import device_state
from edgeshrink.devices.draft import draft_profile
from edgeshrink.devices.local import host_facts
from edgeshrink.devices.matching import best_profile
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.transports.registry import open_transport


@pytest.fixture(autouse=True)
def no_own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_config_path", lambda name, appauthor=None: tmp_path / name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def jetson(ssh_device: LabDevice) -> Iterator[Transport]:
    with closing(open_transport(parse_address(ssh_device.address))) as transport:
        yield transport


@pytest.fixture
def phone(adb_device: LabDevice) -> Iterator[Transport]:
    with closing(open_transport(parse_address(adb_device.address))) as transport:
        yield transport


def test_an_emulated_jetson_over_ssh(ssh_device: LabDevice, jetson: Transport) -> None:
    ssh_device.cpu("cortex-a76")
    hidden = "/sys/class/powercap/intel-rapl:0/energy_uj"
    ssh_device.plant(hidden, "1234\n", mode=0o600)
    probe = jetson.probe((hidden.replace("intel-rapl:0", "*"), "/etc/nv_*"), ("tegrastats", "nope"))
    assert_sound_probe(probe, system="linux", machine="aarch64", emulated=True)
    device = probe.device
    assert device.emulation == "emulated CPU (qemu-user)"
    assert device.cpu_features == ("asimd", "asimdhp", "asimddp"), "the emulated CPU's, not this host's"
    assert "nvidia,p3767-0005" in device.names and "L4T 36.4.3" in device.os
    assert (device.libc, device.page_bytes) == ("glibc 2.36", 4096)
    assert device.power_mode == "15W (mode 0)"
    assert ThermalZone("tj-thermal", 48.5) in device.thermal
    assert probe.shown[hidden] == "" and probe.shown[f"unreadable:{hidden}"] == "Permission denied"
    assert f"{hidden}: permission denied" in device.unread
    assert any(text.startswith("pinned clocks: jetson_clocks") for text in device.unread)
    assert probe.shown["/etc/nv_tegra_release"].startswith("# R36") and "command:nope" not in probe.shown
    assert probe.shown["command:tegrastats"] == "/usr/bin/tegrastats"


def test_another_cpu_has_other_features(ssh_device: LabDevice, jetson: Transport) -> None:
    ssh_device.cpu("cortex-a72")
    assert jetson.probe().device.cpu_features == ("asimd",)


def test_a_jetson_by_its_own_words_is_the_profiles_device_and_emulated_still(
    ssh_device: LabDevice, jetson: Transport
) -> None:
    for path in ("/proc/cpuinfo", "/proc/meminfo"):
        ssh_device.plant(path, ORIN_NANO[path] + "\n")
    device = jetson.probe().device
    assert (device.cpu, device.cores, device.ram_bytes) == ("Arm Cortex-A78AE", 6, 7802880 * 1024)
    found = best_profile(device, load_profiles())
    assert found is not None and found[0].id == "jetson-orin-nano-8gb"
    assert found[1].is_device and found[1].differences[0] == "emulated CPU (qemu-user)"
    assert "emulated CPU" in draft_profile(device, None).splitlines()[0]


def test_an_emulated_phone_over_adb(adb_device: LabDevice, phone: Transport) -> None:
    adb_device.plant("/system/dumpsys/thermalservice.txt", DUMPSYS_THERMAL)
    adb_device.plant("/dev/rio", "")
    for path in ("/proc/cpuinfo", "/proc/meminfo"):
        adb_device.plant(path, PIXEL_8[path] + "\n")
    probe = phone.probe(("/system/build.*",), ("dumpsys",))
    assert_sound_probe(probe, system="android", machine="aarch64", emulated=True)
    device = probe.device
    assert device.names[0] == "Pixel 8" and device.os.startswith("Android 14 (API 34), google/shiba")
    assert (device.libc, device.page_bytes, device.cores) == ("bionic", 4096, 9)
    assert device.battery == Battery("Discharging", 83)
    assert device.thermal == (ThermalZone("BIG", 57.9), ThermalZone("SKIN", 34.351))
    found = best_profile(device, load_profiles())
    assert found is not None and found[0].id == "pixel-8" and found[1].is_device
    assert "ro.product.model=Pixel 8" in probe.shown["/system/build.prop"]
    assert probe.shown["command:dumpsys"] == "/system/bin/dumpsys"


@pytest.mark.parametrize("kind", ["ssh_device", "adb_device"])
def test_hostile_files_stay_in_their_sections(kind: str, request: pytest.FixtureRequest) -> None:
    device: LabDevice = request.getfixturevalue(kind)
    hostile = f"{MARKER}=uname\n|x\n\\c%s\\n$(id)\x1b[31m\n" + "y" * 5000 + "\n-n"
    device.plant("/sys/class/power_supply/battery/status", hostile)
    device.plant("/sys/class/power_supply/battery/type", "Battery\n")
    with closing(open_transport(parse_address(device.address))) as transport:
        probe = transport.probe(("/sys/class/power_supply/*/*",))
    assert_sound_probe(probe, machine="aarch64")
    expected = f"{MARKER}=uname\n|x\n\\c%s\\n$(id)\x1b[31m\n" + "y" * 4000 + "\n-n"
    assert probe.shown["/sys/class/power_supply/battery/status"] == expected
    assert probe.shown["/sys/class/power_supply/battery/type"] == "Battery"


def test_what_it_is_doing(ssh_device: LabDevice, jetson: Transport) -> None:
    before = device_state(jetson)
    assert before.governor == "schedutil"
    assert before.temperature_c == Measured(48.5, how="sensor tj-thermal")
    assert isinstance(before.frequency_mhz, Measured) and before.frequency_mhz.value == pytest.approx(1510.4)
    assert isinstance(before.load_1min, Measured) and isinstance(before.available_ram_bytes, Measured)
    ssh_device.plant("/sys/class/thermal/thermal_zone0/temp", "71000\n")
    assert device_state(jetson).temperature_c == Measured(71.0, how="sensor cpu-thermal")


def test_a_phone_that_only_its_service_reads(adb_device: LabDevice, phone: Transport) -> None:
    adb_device.plant("/system/dumpsys/thermalservice.txt", DUMPSYS_THERMAL)
    assert device_state(phone).temperature_c == Measured(57.9, how="sensor CPU BIG")


def test_this_machine_over_ssh_is_this_machine(x86_ssh_device: LabDevice) -> None:
    with closing(open_transport(parse_address(x86_ssh_device.address))) as transport:
        probe = transport.probe()
    assert_sound_probe(probe)
    assert probe.device.id == host_facts().id
