"""What a device is doing at this moment, before and after a session and while it cools down."""

from __future__ import annotations

import re
import secrets

from edgeshrink.core.measurement import HostState
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.devices.probing import android, darwin, linux
from edgeshrink.devices.probing.script import state_script
from edgeshrink.devices.probing.sections import Sections, read_sections, whole, within
from edgeshrink.devices.state import NO_GOVERNOR, hottest, mean_clock
from edgeshrink.devices.transports.interface import Transport

_ANSWER_LIMIT = 8 << 20
_TIMEOUT_S = 30.0


def device_state(transport: Transport) -> HostState:
    """Load, memory, governor, clock and temperature; what the device does not show says so. DeviceError, DeviceLost."""
    marker = secrets.token_hex(16)
    script = state_script(marker)
    done = transport.run(("sh", "-c", script), timeout_s=_TIMEOUT_S, limit_bytes=_ANSWER_LIMIT)
    return parse_state(done.stdout, marker)


def parse_state(answer: str, marker: str) -> HostState:
    """The answer to `state_script`. Pure; DeviceError where it is no whole answer."""
    sections = read_sections(answer, marker)
    if "/proc/meminfo" not in sections.text:
        return HostState(
            load_1min=_load(sections["sysctl:vm.loadavg"]),
            available_ram_bytes=_available(darwin.available_bytes(sections)),
            governor=NO_GOVERNOR,
            frequency_mhz=Unmeasured("macOS shows the clock to root only"),
            temperature_c=Unmeasured("macOS shows temperatures to root only"),
        )
    return HostState(
        load_1min=_load(sections["/proc/loadavg"]),
        available_ram_bytes=_available(linux.memory(sections)[1]),
        governor=linux.governor(sections) or NO_GOVERNOR,
        frequency_mhz=_clock(sections),
        temperature_c=_temperature(sections),
    )


def _load(text: str) -> Reading:
    # macOS: "{ 1.20 1.30 1.40 }"; Linux: "1.20 1.30 1.40 2/345 6789"
    match = re.match(r"(?:\{ )?([0-9]{1,5}\.[0-9]{1,4}) ", text)
    if match is None:
        return Unmeasured("this system shows no load average")
    return Measured(float(match[1]), how="load average over one minute")


def _available(nbytes: int) -> Reading:
    if not nbytes:
        return Unmeasured("this system does not say how much memory can be taken")
    return Measured(nbytes, how="bytes that can be taken without swapping")


def _clock(sections: Sections) -> Reading:
    found = (whole(text) for _, text in sections.below(r"/sys/devices/system/cpu/cpu([0-9]+)/cpufreq/scaling_cur_freq"))
    khz = [each for each in found if each is not None and within(each, 1_000, 20_000_000)]
    return mean_clock(khz, sections["/proc/cpuinfo"])


def _temperature(sections: Sections) -> Reading:
    zones = [(zone.name, zone.temperature_c) for zone in linux.temperatures(sections)]
    # What the thermal service calls a CPU is one, however it is named.
    zones += [(f"CPU {zone.name}", zone.temperature_c) for zone in android.cpu_temperatures(sections)]
    return hottest(zones, where="that this device shows")
