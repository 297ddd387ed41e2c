"""What this machine is doing right now: the things that can make a figure wrong."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import psutil

from edgeshrink.core.measurement import HostState
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.devices.memory import available_ram
from edgeshrink.devices.system import ROOT, read_int, read_text

# Names that Linux drivers give to a processor's own sensor; others (batteries, disks, radios) do not count.
CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu", "soc", "x86_pkg_temp", "acpitz", "tctl")


def host_state(root: Path = ROOT) -> HostState:
    """Load, memory, governor, clock and temperature at this moment; what the system does not show says so."""
    return HostState(
        load_1min=_load(),
        available_ram_bytes=Measured(available_ram(root), how="bytes that can be taken without swapping"),
        governor=governor(root),
        frequency_mhz=_frequency(root),
        temperature_c=temperature(root),
    )


def temperature(root: Path = ROOT) -> Reading:
    """The hottest processor sensor, degrees Celsius."""
    seen: dict[str, float] = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        _note(seen, read_text(zone / "type"), read_int(zone / "temp"))
    for chip in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        for sensor in sorted(chip.glob("temp*_input")):
            _note(seen, read_text(chip / "name"), read_int(sensor))
    if not seen:
        here = "in /sys/class/thermal or /sys/class/hwmon" if sys.platform == "linux" else f"that {sys.platform} shows"
        return Unmeasured(f"no processor temperature {here}")
    hottest = max(seen, key=lambda name: seen[name])
    return Measured(seen[hottest], how=f"sensor {hottest}")


def _note(seen: dict[str, float], name: str, millidegrees: int | None) -> None:
    if millidegrees is not None and name.lower().startswith(CPU_SENSORS):
        seen[name] = max(seen.get(name, -273.0), millidegrees / 1000)


def _load() -> Reading:
    if sys.platform == "win32":
        return Unmeasured("Windows keeps no load average")
    return Measured(psutil.getloadavg()[0], how="load average over one minute")


def governor(root: Path = ROOT) -> str:
    """The frequency governors in use, or a text that begins with "unknown"."""
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    found = sorted({text for file in files if (text := read_text(file))})
    return " + ".join(found) or "unknown: this system shows no frequency governor"


def _frequency(root: Path) -> Reading:
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
    clocks = [khz / 1000 for file in files if (khz := read_int(file)) is not None]
    how = "scaling_cur_freq, mean over the CPUs"
    if not clocks:
        text = read_text(root / "proc/cpuinfo")
        clocks = [float(mhz) for mhz in re.findall(r"^cpu MHz\s*:\s*([0-9.]+)", text, re.MULTILINE)]
        how = "/proc/cpuinfo, mean over the CPUs"
    if not clocks:
        return Unmeasured("this system shows no clock frequency")
    return Measured(sum(clocks) / len(clocks), n=len(clocks), low=min(clocks), high=max(clocks), how=how)
