"""The GPU's share of a memory that it has in common with the CPU, where a Jetson shows it to root.

Source: L4T's nvmap driver, /sys/kernel/debug/nvmap/iovmm/clients: "CLIENT PROCESS PID SIZE" rows, sizes as "123456K".
It does not count in a process's resident memory. Not seen on real hardware.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.measure.power.interface import RawSample

_FILE = "/sys/kernel/debug/nvmap/iovmm/clients"
WATCH = ("sh", "-c", f"while cat {_FILE} 2>/dev/null || sudo -n cat {_FILE} 2>/dev/null; do sleep 1; done")
_ROW = re.compile(r"\S+\s+\S+\s+(\d{1,10})\s+(\d{1,12})([KMG]?)")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def watch_command(device: ProbedDevice, backend_asked: int) -> tuple[str, ...]:
    """What to run beside the runner; () where nothing is computed on a GPU, or no Jetson is there to ask."""
    jetson = any("tegra" in name.lower() or "jetson" in name.lower() for name in device.names)
    return WATCH if backend_asked and jetson else ()


def gpu_reading(samples: Sequence[RawSample], pid: int, *, on_gpu: bool, watched: bool) -> Reading:
    """The largest that the driver showed for the runner's process."""
    if not on_gpu:
        return Unmeasured("nothing was computed on a GPU")
    if not watched:
        return Unmeasured("this system does not show what its GPU holds of the memory")
    sizes = [
        int(match[2]) * _UNITS[match[3]]
        for sample in samples
        if sample.texts[0] and (match := _ROW.fullmatch(sample.texts[0].strip())) and int(match[1]) == pid
    ]
    if not sizes:
        return Unmeasured(f"{_FILE} shows nothing of the runner, or may be read by root only (sudo -n was tried)")
    return Measured(float(max(sizes)), n=len(sizes), how=f"{_FILE}, about once a second; it is no resident memory")
