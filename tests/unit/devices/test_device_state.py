"""What a device is doing: parsed from recorded answers."""

from __future__ import annotations

import pytest
from recorded_devices import DUMPSYS_THERMAL, MARKER, VM_STAT, answer, clocks, zones

from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.devices.device_state import parse_state
from edgeshrink.errors import DeviceError

MEMINFO = {"/proc/meminfo": "MemTotal: 7802880 kB\nMemAvailable: 5700000 kB"}


def test_a_board_under_load() -> None:
    state = parse_state(
        answer(
            {
                **MEMINFO,
                "/proc/loadavg": "3.71 2.90 1.10 5/312 4711",
                **clocks("scaling_governor", ["schedutil"] * 2),
                **clocks("scaling_cur_freq", [729600, 1728000]),
                **zones(("gpu-thermal", 81000), ("cpu-thermal", 66500), ("tj-thermal", 67000)),
            }
        ),
        MARKER,
    )
    assert state.load_1min == Measured(3.71, how="load average over one minute")
    assert isinstance(state.available_ram_bytes, Measured) and state.available_ram_bytes.value == 5700000 * 1024
    assert state.governor == "schedutil"
    assert isinstance(state.frequency_mhz, Measured)
    assert (state.frequency_mhz.low, state.frequency_mhz.value, state.frequency_mhz.high) == (729.6, 1228.8, 1728.0)
    assert state.temperature_c == Measured(67.0, how="sensor tj-thermal")


def test_a_phone_whose_sensors_only_its_service_may_read() -> None:
    state = parse_state(answer({**MEMINFO, "dumpsys:thermalservice": DUMPSYS_THERMAL}), MARKER)
    assert state.temperature_c == Measured(57.9, how="sensor CPU BIG")


def test_a_virtual_machine_shows_its_clock_in_cpuinfo_only() -> None:
    state = parse_state(answer({**MEMINFO, "/proc/cpuinfo": "processor : 0\ncpu MHz\t\t: 2596.142\n"}), MARKER)
    assert isinstance(state.frequency_mhz, Measured) and state.frequency_mhz.value == 2596.142


def test_a_mac() -> None:
    sections = {"sysctl:vm.loadavg": "{ 2.75 2.10 1.80 }", "sysctl:hw.pagesize": "16384", "vm_stat": VM_STAT}
    state = parse_state(answer(sections), MARKER)
    assert isinstance(state.load_1min, Measured) and state.load_1min.value == 2.75
    assert isinstance(state.available_ram_bytes, Measured) and state.available_ram_bytes.value == 160000 * 16384
    assert isinstance(state.temperature_c, Unmeasured) and isinstance(state.frequency_mhz, Unmeasured)


def test_what_is_not_shown_says_so() -> None:
    state = parse_state(answer({"/proc/meminfo": ""}), MARKER)
    readings = (state.load_1min, state.available_ram_bytes, state.frequency_mhz, state.temperature_c)
    assert all(isinstance(reading, Unmeasured) and reading.reason for reading in readings)
    assert state.governor.startswith("unknown")


def test_an_answer_that_was_cut_off_is_refused() -> None:
    with pytest.raises(DeviceError):
        parse_state(answer(MEMINFO)[:-10], MARKER)
