"""This machine as facts and as a profile; which hosts are which device."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from edgeshrink.catalog.profiles import load_profile
from edgeshrink.core.calibration import MachineCalibration
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.devices import cpu, local, memory
from edgeshrink.devices.local import host_facts, host_is, profile_for, this_machine
from edgeshrink.errors import DataError

CALIBRATION = MachineCalibration(
    host_id="", taken_at="2026-11-21T12:00:00+00:00", threads=2, dram_read_bytes_s=1e10, cache_read_bytes_s=4e10,
    cache_bytes=2**25, decode_overhead_s=1e-4, prefill_flop_s=1e11, quantize_weights_s=6e6, disk_write_bytes_s=5e8,
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_config_path", lambda name, appauthor=None: tmp_path / name)
    monkeypatch.chdir(tmp_path)


def test_the_host_is_the_same_when_asked_again() -> None:
    first = host_facts()
    host_facts.cache_clear()
    assert host_facts() == first
    assert first.ram_bytes == psutil.virtual_memory().total
    assert first.cores >= 1 and len(first.id) == 16


@pytest.mark.parametrize(
    ("room", "name", "value"),
    [
        (cpu, "cpu_name", lambda: cpu.Found("Another CPU", "planted here")),
        (cpu, "physical_cores", lambda: 99),
        (cpu, "isa_features", lambda: (("avx9",), "planted here")),
        (memory, "total_ram", lambda: 2**42),
        (local, "_machine_id", lambda: "another machine"),
    ],
)
def test_other_hardware_is_another_host(
    monkeypatch: pytest.MonkeyPatch, room: object, name: str, value: object
) -> None:
    here = host_facts().id
    monkeypatch.setattr(room, name, value)
    host_facts.cache_clear()
    assert host_facts().id != here
    host_facts.cache_clear()


def test_a_kernel_that_shows_a_little_less_ram_is_the_same_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "total_ram", lambda: 8 * 2**30)
    host_facts.cache_clear()
    here = host_facts().id
    monkeypatch.setattr(memory, "total_ram", lambda: 8 * 2**30 - 20 * 2**20)
    host_facts.cache_clear()
    assert host_facts().id == here
    host_facts.cache_clear()


def test_this_machine_is_a_whole_profile_with_a_source_for_every_fact() -> None:
    profile = this_machine()
    facts = profile.facts
    assert profile.id == "this-machine"
    assert facts.ram_bytes.value == psutil.virtual_memory().total
    assert facts.app_ram_bytes.value <= facts.ram_bytes.value
    assert facts.cores.value <= (os.cpu_count() or 1)
    sources = [getattr(facts, name).source for name in type(facts).model_fields if getattr(facts, name) is not None]
    assert all(source.startswith(("probed: ", "not probed: ", "derived: ")) for source in sources)
    again = DeviceProfile.model_validate_json(profile.model_dump_json())
    assert again == profile


def test_this_machine_has_the_budget_of_an_ordinary_laptop() -> None:
    assert this_machine().budget == load_profile("laptop-4core-8gb").budget


def test_ones_own_laptop_budget_is_this_machines(tmp_path: Path) -> None:
    shipped = Path(local.__file__).parents[2] / "profiles" / "laptop-4core-8gb.toml"
    own = tmp_path / "profiles" / "laptop-4core-8gb.toml"
    own.parent.mkdir()
    own.write_text(
        shipped.read_text(encoding="utf-8").replace("decode_tok_s_min = 8", "decode_tok_s_min = 80"), "utf-8"
    )
    assert this_machine().budget.decode_tok_s_min == 80


def test_bandwidth_is_known_only_by_calibration_of_this_host() -> None:
    assert this_machine().facts.memory_bandwidth_bytes_s is None
    assert this_machine(CALIBRATION).facts.memory_bandwidth_bytes_s is None
    here = this_machine(replace(CALIBRATION, host_id=host_facts().id)).facts.memory_bandwidth_bytes_s
    assert here is not None
    assert here.value == 1e10
    assert "2026-11-21" in here.source


def test_a_profile_is_probed_or_read() -> None:
    assert profile_for("this-machine").id == "this-machine"
    assert profile_for("pixel-8").name == "Google Pixel 8"
    with pytest.raises(DataError):
        profile_for("pixel-88")


def test_this_machine_is_this_host() -> None:
    assert host_is(this_machine()).is_device


@pytest.mark.parametrize("profile_id", ["laptop-4core-8gb", "pixel-8", "jetson-orin-nano-8gb", "macbook-air-m2-8gb"])
def test_another_device_is_not_this_host_and_the_reason_is_said(profile_id: str) -> None:
    match = host_is(load_profile(profile_id))
    assert not match.is_device and match.why


@pytest.fixture
def on_a_jetson(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("NVIDIA Jetson Orin NX Engineering Reference Developer Kit", "nvidia,p3767-0003", "nvidia,tegra234")
    monkeypatch.setattr(cpu, "hardware_names", lambda: (names, "planted here"))
    monkeypatch.setattr(cpu, "physical_cores", lambda: 6)
    monkeypatch.setattr(memory, "total_ram", lambda: 7620 * 2**20)


def test_the_module_decides_and_not_the_board_it_sits_on(on_a_jetson: None) -> None:
    assert host_is(load_profile("jetson-orin-nano-8gb")).is_device
    assert not host_is(load_profile("jetson-orin-nx-16gb")).is_device


def test_a_device_with_cores_switched_off_is_not_the_device(on_a_jetson: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "physical_cores", lambda: 4)
    match = host_is(load_profile("jetson-orin-nano-8gb"))
    assert not match.is_device and "6 cores in the profile, 4 here" in match.why


def test_the_small_version_of_a_device_is_not_the_large_one(on_a_jetson: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "total_ram", lambda: 4 * 2**30)
    match = host_is(load_profile("jetson-orin-nano-8gb"))
    assert not match.is_device and "8.0 GiB in the profile, 4.0 GiB here" in match.why


def test_a_phone_with_a_longer_name_is_another_phone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "hardware_names", lambda: (("Pixel 8 Pro",), "planted here"))
    assert not host_is(load_profile("pixel-8")).is_device
