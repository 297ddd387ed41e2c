"""Governor, clock, temperature and energy counters, on planted trees."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.devices.sensors import sensors
from edgeshrink.devices.state import governor, host_state, temperature

Plant = Callable[[Mapping[str, str]], Path]
THERMAL, HWMON, POWER = "sys/class/thermal", "sys/class/hwmon", "sys/class/power_supply"


def test_the_hottest_processor_sensor_counts(plant: Plant) -> None:
    root = plant(
        {
            f"{THERMAL}/thermal_zone0/type": "acpitz\n", f"{THERMAL}/thermal_zone0/temp": "41000\n",
            f"{THERMAL}/thermal_zone1/type": "x86_pkg_temp\n", f"{THERMAL}/thermal_zone1/temp": "63500\n",
            f"{THERMAL}/thermal_zone2/type": "iwlwifi_1\n", f"{THERMAL}/thermal_zone2/temp": "90000\n",
            f"{HWMON}/hwmon0/name": "nvme\n", f"{HWMON}/hwmon0/temp1_input": "95000\n",
            f"{HWMON}/hwmon1/name": "coretemp\n", f"{HWMON}/hwmon1/temp1_input": "62000\n",
        }
    )  # fmt: skip
    reading = temperature(root)
    assert isinstance(reading, Measured)
    assert reading.value == 63.5
    assert "x86_pkg_temp" in reading.how


def test_no_sensor_is_unmeasured_and_never_zero(plant: Plant) -> None:
    assert isinstance(temperature(plant({})), Unmeasured)
    broken = plant({f"{THERMAL}/thermal_zone0/type": "cpu-thermal\n", f"{THERMAL}/thermal_zone0/temp": "\n"})
    assert isinstance(temperature(broken), Unmeasured)


def test_the_governor_and_the_clock(plant: Plant) -> None:
    base = "sys/devices/system/cpu"
    root = plant(
        {
            f"{base}/cpu0/cpufreq/scaling_governor": "powersave\n",
            f"{base}/cpu1/cpufreq/scaling_governor": "performance\n",
            f"{base}/cpu0/cpufreq/scaling_cur_freq": "1600000\n",
            f"{base}/cpu1/cpufreq/scaling_cur_freq": "3200000\n",
        }
    )
    state = host_state(root)
    assert state.governor == "performance + powersave"
    assert isinstance(state.frequency_mhz, Measured)
    assert (state.frequency_mhz.low, state.frequency_mhz.value, state.frequency_mhz.high) == (1600, 2400, 3200)


def test_a_virtual_machine_shows_its_clock_in_cpuinfo(plant: Plant) -> None:
    state = host_state(plant({"proc/cpuinfo": "cpu MHz\t\t: 2596.142\n"}))
    assert isinstance(state.frequency_mhz, Measured) and state.frequency_mhz.value == 2596.142
    assert state.governor.startswith("unknown")


def test_a_machine_that_shows_nothing_says_so(plant: Plant) -> None:
    state = host_state(plant({}))
    assert isinstance(state.frequency_mhz, Unmeasured)
    assert isinstance(state.temperature_c, Unmeasured)
    assert isinstance(state.available_ram_bytes, Measured) and state.available_ram_bytes.value > 0
    assert isinstance(state.load_1min, Measured if sys.platform != "win32" else Unmeasured)
    assert governor(plant({})).startswith("unknown")


def test_the_package_energy_counter_is_found(plant: Plant) -> None:
    power = "sys/class/powercap"
    root = plant(
        {
            f"{power}/intel-rapl:0/name": "package-0\n", f"{power}/intel-rapl:0/energy_uj": "1\n",
            f"{power}/intel-rapl:0:0/name": "core\n", f"{power}/intel-rapl:0:0/energy_uj": "1\n",
        }
    )  # fmt: skip
    found = {sensor.name: sensor for sensor in sensors(root)}["energy counter (RAPL)"]
    assert found.present and found.detail == "1 zones: package-0"


def test_a_counter_for_root_only_says_how_to_open_it(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    root = plant(
        {"sys/class/powercap/intel-rapl:0/name": "package-0", "sys/class/powercap/intel-rapl:0/energy_uj": "1"}
    )
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    found = {sensor.name: sensor for sensor in sensors(root)}["energy counter (RAPL)"]
    assert not found.present and "chmod" in found.fix


def test_a_battery_that_shows_its_power(plant: Plant) -> None:
    root = plant(
        {
            f"{POWER}/AC/type": "Mains\n",
            f"{POWER}/BAT0/type": "Battery\n", f"{POWER}/BAT0/status": "Discharging\n",
            f"{POWER}/BAT0/power_now": "8000000\n",
        }
    )  # fmt: skip
    battery = {sensor.name: sensor for sensor in sensors(root)}["battery"]
    assert battery.present and battery.detail == "BAT0, Discharging"


def test_without_sensors_each_says_what_goes_without_it(plant: Plant) -> None:
    found = sensors(plant({}))
    assert len(found) == 4
    assert not any(sensor.present for sensor in found)
    assert all(sensor.detail for sensor in found)
