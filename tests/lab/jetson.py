"""What makes a Linux root look like a Jetson Orin Nano: its device tree, clocks, thermal zones, power rails and tools.

A fake: names and layouts are those of JetPack 6, the values are made up. /proc/device-tree cannot be had (the kernel
links it to /sys/firmware/devicetree/base on machines that have one); what it would show stands at that other path.
"""

from __future__ import annotations

from pathlib import Path

_TREE = {
    "/sys/firmware/devicetree/base/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
    "/sys/firmware/devicetree/base/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0",
    "/sys/firmware/devicetree/base/serial-number": "1420000000000\0",
    "/etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n",
}
_CLOCKS = {
    "cpufreq/scaling_governor": "schedutil\n",
    "cpufreq/scaling_cur_freq": "1510400\n",
    "cpufreq/cpuinfo_max_freq": "1510400\n",
    "cpufreq/scaling_max_freq": "1510400\n",
    "cpu_capacity": "1024\n",
}
_ZONES = {"cpu-thermal": 48500, "gpu-thermal": 47000, "tj-thermal": 48500}
_RAILS = {"VDD_IN": (4968, 1000), "VDD_CPU_GPU_CV": (4960, 240), "VDD_SOC": (4968, 280)}
INA3221 = "/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1"
_TOOLS = {
    "/usr/sbin/nvpmodel": '#!/bin/sh\n[ "$1" = -q ] && printf "NV Power Mode: 15W\\n0\\n"\n',
    "/usr/bin/jetson_clocks": '#!/bin/sh\necho "jetson_clocks: needs root" >&2\nexit 1\n',
    "/usr/bin/tegrastats": (
        "#!/bin/sh\n"
        "# Prints the planted line again and again, 10 times a second.\n"
        "while cat /etc/lab/tegrastats 2>/dev/null; do sleep 0.1; done\n"
    ),
}
_TEGRASTATS = (
    "11-21-2026 18:00:00 RAM 1650/7620MB (lfb 4x4MB) SWAP 0/3810MB (cached 0MB) "
    "CPU [2%@1510,1%@1510,0%@1510,0%@1510,0%@1510,0%@1510] EMC_FREQ 0%@2133 GR3D_FREQ 0%@[305] "
    "cpu@48.5C soc2@47.2C soc0@46.9C gpu@47C tj@48.5C soc1@47.6C "
    "VDD_IN 4968mW/4968mW VDD_CPU_GPU_CV 1190mW/1190mW VDD_SOC 1391mW/1391mW\n"
)


def write_identity(seed: Path, cores: int = 6) -> None:
    """Put the fake's files into the tree that is laid over a device's root."""
    files = {**_TREE, "/etc/lab/tegrastats": _TEGRASTATS}
    for core in range(cores):
        files |= {f"/sys/devices/system/cpu/cpu{core}/{name}": text for name, text in _CLOCKS.items()}
    for number, (zone, millidegrees) in enumerate(_ZONES.items()):
        files[f"/sys/class/thermal/thermal_zone{number}/type"] = f"{zone}\n"
        files[f"/sys/class/thermal/thermal_zone{number}/temp"] = f"{millidegrees}\n"
    for name in ("present", "online", "possible"):
        files[f"/sys/devices/system/cpu/{name}"] = f"0-{cores - 1}\n"
    files |= rails()
    for path, text in (*files.items(), *_TOOLS.items()):
        target = seed / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o755 if path in _TOOLS else 0o644)


def rails() -> dict[str, str]:
    """The INA3221's files as JetPack 5 and 6 show them: millivolts, milliamperes and the rails' names."""
    files = {f"{INA3221}/name": "ina3221\n"}
    for channel, (label, (millivolts, milliamperes)) in enumerate(_RAILS.items(), start=1):
        files[f"{INA3221}/in{channel}_label"] = f"{label}\n"
        files[f"{INA3221}/in{channel}_input"] = f"{millivolts}\n"
        files[f"{INA3221}/curr{channel}_input"] = f"{milliamperes}\n"
    return files
