"""The GPU's share of a memory that it has in common with the CPU, which a Jetson shows to root.

Source: L4T's nvmap driver, /sys/kernel/debug/nvmap/iovmm/clients: "CLIENT PROCESS PID SIZE" rows, sizes as "123456K".
It does not count in a process's resident memory. Not seen on real hardware.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.measure.device.events import Loaded
from edgeshrink.measure.power.interface import RawSample

_FILE = "/sys/kernel/debug/nvmap/iovmm/clients"
WATCH = ("sh", "-c", f"while cat {_FILE} 2>/dev/null || sudo -n cat {_FILE} 2>/dev/null; do sleep 1; done")
_ROW = re.compile(r"\S+\s+\S+\s+(\d{1,10})\s+(\d{1,12})([KMG]?)")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


_OUTSIDE = ("CPU", "BLAS")
"""How llama.cpp begins the names of buffers that are the process's own memory."""
_INSIDE = ("_Mapped", "_Host")
"""How it ends those of the mapped file, and of memory that the process has allocated for the GPU to read."""


def takes_ram(device: ProbedDevice, loaded: Loaded) -> bool:
    """Whether a GPU computes, and does it in the RAM. Only of CUDA beside an x86 CPU is it known that it does not."""
    computes = loaded.gpu_layers > 0 or buffers_bytes(loaded) > 0
    return computes and not ("CUDA" in loaded.backend and device.machine == "x86_64")


def counts_gpu(device: ProbedDevice) -> bool:
    """Whether a process's own figure has the GPU's share in it: Apple's physical footprint has."""
    return device.system == "darwin"


def buffers_bytes(loaded: Loaded) -> int:
    """What llama.cpp says of weights in the GPU's buffers. KV cache and scratch are not in it."""
    return sum(
        size for name, size in loaded.buffers.items() if not name.startswith(_OUTSIDE) and not name.endswith(_INSIDE)
    )


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
