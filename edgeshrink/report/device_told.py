"""A probed device in words: its name, where it is, its processor, everything that it said about itself."""

from __future__ import annotations

from edgeshrink.core.device import CpuCluster, ProbedDevice
from edgeshrink.core.measurement import Measurements
from edgeshrink.report.format import human_bytes, number


def device_name(device: ProbedDevice) -> str:
    """`Pixel 8`: what it calls itself, else its processor."""
    return next((name for name in device.names if name.strip()), "") or device.cpu or f"unnamed {device.machine} device"


def device_text(device: ProbedDevice) -> str:
    """`Pixel 8 over adb:37201FDJH000AB, Android 14, 9 cores, 7.42 GiB RAM`."""
    here = device.address == "local"
    name = f"this machine, {device_name(device)}" if here else f"{device_name(device)} over {device.address}"
    parts = (name, device.os, _counted(device.cores, "core"), _ram(device.ram_bytes))
    return ", ".join(part for part in parts if part)


def measured_on(seen: Measurements) -> str:
    """The machine that a session ran on, in a line."""
    if seen.device is not None:
        return device_text(seen.device)
    host = seen.host
    return f"{host.cpu} ({_counted(host.cores, 'core')}, {human_bytes(host.ram_bytes)} RAM, {host.system})"


def cpu_text(device: ProbedDevice) -> str:
    """`Google Tensor G3, 9 cores: 1 × Cortex-X3 to 2,914 MHz, 4 × Cortex-A715`; one kind is not named twice."""
    cores = _counted(device.cores, "core")
    if len(device.clusters) == 1 and device.clusters[0].name == device.cpu:
        parts = (device.cpu, cores + _speed(device.clusters[0]))
    else:
        clusters = ", ".join(map(_cluster, device.clusters))
        parts = (device.cpu, f"{cores}: {clusters}" if cores and clusters else cores or clusters)
    return ", ".join(part for part in parts if part)


def device_facts(device: ProbedDevice) -> tuple[tuple[str, str], ...]:
    """Everything that a device said about itself, as names and texts; what it did not show is left out."""
    battery = ""
    if device.battery is not None:
        level = "" if device.battery.level_percent is None else f", {device.battery.level_percent} %"
        battery = f"{device.battery.status}{level}"
    zones = ", ".join(f"{zone.name} {number(zone.temperature_c)} °C" for zone in device.thermal)
    ram = _ram(device.ram_bytes)
    free = f", {human_bytes(device.available_bytes)} of it available" if device.available_bytes > 0 else ""
    facts = (
        ("Address", "local: this machine" if device.address == "local" else device.address),
        ("Calls itself", ", ".join(device.names)),
        ("Hardware", device.emulation),
        ("System", ", ".join(part for part in (device.os, device.kernel, device.machine, device.libc) if part)),
        ("Processor", cpu_text(device)),
        ("CPU features", ", ".join(device.cpu_features)),
        ("RAM", f"{ram}{free}" if ram else ""),
        ("Page size", human_bytes(device.page_bytes) if device.page_bytes > 0 else ""),
        ("GPU", ", ".join(device.gpus)),
        ("NPU", ", ".join(device.npus)),
        ("Governor", device.governor),
        ("Power mode", device.power_mode),
        ("Temperatures", zones),
        ("Battery", battery),
        *(("Not read", text) for text in device.unread),
        ("Device id", device.id),
    )
    return tuple((name, text) for name, text in facts if text)


def _cluster(cluster: CpuCluster) -> str:
    return f"{cluster.cores} × {cluster.name}{_speed(cluster)}"


def _speed(cluster: CpuCluster) -> str:
    return "" if cluster.max_mhz is None else f" to {cluster.max_mhz:,.0f} MHz"


def _counted(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}" if count > 0 else ""


def _ram(nbytes: int) -> str:
    return f"{human_bytes(nbytes)} RAM" if nbytes > 0 else ""
