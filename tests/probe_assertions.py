"""What every probe must keep to, whatever device answered and over whatever link."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from edgeshrink.core.device import Probe


def assert_sound_probe(probe: Probe, *, system: str = "", machine: str = "", emulated: bool | None = None) -> None:
    """Every field is of its kind and in its range, and no text of it can steer a terminal.

    `system`, `machine`: what they must be; `emulated`: whether something must have given an emulation away.
    """
    device = probe.device
    assert re.fullmatch(r"[0-9a-f]{16}", device.id)
    assert device.system == (system or device.system) and device.system in ("linux", "android", "darwin")
    assert device.machine == (machine or device.machine) and device.machine
    assert device.kernel.split()[0] in ("Linux", "Darwin")
    assert 0 <= device.cores <= 4096 and sum(cluster.cores for cluster in device.clusters) <= 4096
    assert all(cluster.max_mhz is None or 1 <= cluster.max_mhz <= 20_000 for cluster in device.clusters)
    assert 0 <= device.available_bytes <= device.ram_bytes <= 2**46
    assert device.page_bytes == 0 or device.page_bytes.bit_count() == 1
    assert all(-40 < zone.temperature_c <= 150 for zone in device.thermal) and len(device.thermal) <= 128
    if device.battery is not None and device.battery.level_percent is not None:
        assert 0 <= device.battery.level_percent <= 100
    if emulated is not None:
        assert bool(device.emulation) == emulated, device.emulation
    for text in _texts(probe):
        assert len(text) <= 400
        assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in text), repr(text)
    assert len(device.unread) <= 64


def _texts(probe: Probe) -> Iterator[str]:
    device = probe.device
    yield from (device.os, device.kernel, device.machine, device.libc, device.cpu, device.governor, device.power_mode)
    yield from (*device.names, *device.cpu_features, *device.gpus, *device.npus, *device.unread, device.emulation)
    yield from (cluster.name for cluster in device.clusters)
    yield from (zone.name for zone in device.thermal)
    yield from (device.battery.status,) if device.battery else ()
