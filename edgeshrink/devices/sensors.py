"""Which sensors this machine shows. Reading them is measure's work; here it is only said what is there."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.core.reading import Measured
from edgeshrink.devices.state import governor, temperature
from edgeshrink.devices.system import ROOT, read_int, read_text


@dataclass(frozen=True, slots=True)
class Sensor:
    """One kind of sensor. `fix` is what would make it readable, "" where nothing would."""

    name: str
    present: bool
    detail: str
    fix: str = ""


def sensors(root: Path = ROOT) -> tuple[Sensor, ...]:
    """Energy counter, battery, temperature, clock governor."""
    return (_rapl(root), _battery(root), _temperature(root), _governor(root))


def _rapl(root: Path) -> Sensor:
    name = "energy counter (RAPL)"
    counters = [
        zone / "energy_uj"
        for zone in sorted((root / "sys/class/powercap").glob("*-rapl:*"))
        if read_text(zone / "name").startswith(("package", "psys"))
    ]
    if not counters:
        where = "no /sys/class/powercap/*-rapl:* here" if sys.platform == "linux" else f"{sys.platform} has no powercap"
        return Sensor(name, False, f"{where}: energy per token stays unmeasured")
    if not any(os.access(counter, os.R_OK) for counter in counters):
        return Sensor(
            name,
            False,
            "there, and readable by root only: energy per token stays unmeasured",
            "sudo chmod a+r /sys/class/powercap/*-rapl:*/energy_uj (until the next boot)",
        )
    zones = ", ".join(read_text(counter.parent / "name") for counter in counters)
    return Sensor(name, True, f"{len(counters)} zones: {zones}")


def _battery(root: Path) -> Sensor:
    name = "battery"
    for supply in sorted((root / "sys/class/power_supply").glob("*")):
        if read_text(supply / "type") == "Battery":
            state = read_text(supply / "status") or "state unknown"
            readable = read_int(supply / "power_now") is not None or read_int(supply / "current_now") is not None
            return Sensor(name, readable, f"{supply.name}, {state}" + ("" if readable else ", shows no power"))
    return Sensor(name, False, "none here")


def _temperature(root: Path) -> Sensor:
    reading = temperature(root)
    if isinstance(reading, Measured):
        return Sensor("temperature", True, f"{reading.value:.0f} °C, {reading.how}")
    return Sensor("temperature", False, f"{reading.reason}: throttling cannot be seen")


def _governor(root: Path) -> Sensor:
    name = "clock governor"
    found = governor(root)
    if found.startswith("unknown"):
        return Sensor(name, False, "this system shows none: changes of the clock cannot be seen")
    return Sensor(name, True, found)
