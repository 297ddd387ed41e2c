"""What this machine is doing right now: the things that can make a figure wrong."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean

import psutil

from edgeshrink.core.measurement import HostState
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.devices.memory import available_ram
from edgeshrink.devices.system import ROOT, read_int, read_text

# Names that Linux drivers give to a processor's own sensor; others (batteries, disks, radios) do not count. The last
# ones are those of phones (Google and Samsung name clusters, MediaTek prefixes all of its own) and of Jetsons.
CPU_SENSORS = (
    "coretemp", "k10temp", "zenpower", "cpu", "soc", "x86_pkg_temp", "acpitz", "tctl",
    "big", "mid", "little", "mtktscpu", "tj",
)  # fmt: skip


NO_GOVERNOR = "unknown: this system shows no frequency governor"


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
    here = "in /sys/class/thermal or /sys/class/hwmon" if sys.platform == "linux" else f"that {sys.platform} shows"
    return hottest(_sensors(root), where=here)


def hottest(sensors: Iterable[tuple[str, float]], *, where: str) -> Reading:
    """The hottest processor sensor among (name, degrees Celsius)."""
    seen = [(celsius, name) for name, celsius in sensors if name.lower().startswith(CPU_SENSORS)]
    if not seen:
        return Unmeasured(f"no processor temperature {where}")
    celsius, name = max(seen)
    return Measured(celsius, how=f"sensor {name}")


def _sensors(root: Path) -> Iterator[tuple[str, float]]:
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        if (millidegrees := read_int(zone / "temp")) is not None:
            yield read_text(zone / "type"), millidegrees / 1000
    for chip in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        for sensor in sorted(chip.glob("temp*_input")):
            if (millidegrees := read_int(sensor)) is not None:
                yield read_text(chip / "name"), millidegrees / 1000


def _load() -> Reading:
    if sys.platform == "win32":
        return Unmeasured("Windows keeps no load average")
    return Measured(psutil.getloadavg()[0], how="load average over one minute")


def governor(root: Path = ROOT) -> str:
    """The frequency governors in use, or a text that begins with "unknown"."""
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    found = sorted({text for file in files if (text := read_text(file))})
    return " + ".join(found) or NO_GOVERNOR


def _frequency(root: Path) -> Reading:
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
    khz = [found for file in files if (found := read_int(file)) is not None]
    return mean_clock(khz, "" if khz else read_text(root / "proc/cpuinfo"))


def mean_clock(khz: Sequence[int], cpuinfo: str) -> Reading:
    """MHz, mean over the CPUs; by the text of /proc/cpuinfo where no `khz` were read."""
    clocks, how = [each / 1000 for each in khz], "scaling_cur_freq, mean over the CPUs"
    if not clocks:
        clocks = [float(mhz) for mhz in re.findall(r"^cpu MHz\s*:\s*([0-9]{1,5}(?:\.[0-9]+)?)\s*$", cpuinfo, re.M)]
        how = "/proc/cpuinfo, mean over the CPUs"
    if not clocks:
        return Unmeasured("this system shows no clock frequency")
    return Measured(fmean(clocks), n=len(clocks), low=min(clocks), high=max(clocks), how=how)
