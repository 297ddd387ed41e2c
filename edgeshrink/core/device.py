"""A device that answers: how it is reached, and what it said about itself when it was probed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgeshrink.errors import UsageError

LinkKind = Literal["local", "ssh", "adb"]
_FORMS = "local, adb:SERIAL, ssh:HOST, ssh:USER@HOST or ssh:USER@HOST:PORT"


@dataclass(frozen=True, slots=True)
class Address:
    """How a device is reached. `name` is a serial (adb), or HOST or USER@HOST as ssh takes it; "" for this machine."""

    kind: LinkKind
    name: str = ""
    port: int | None = None

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return self.kind if self.kind == "local" else f"{self.kind}:{self.name}{port}"


def parse_address(text: str) -> Address:
    """`ssh:me@jetson:2222` -> Address. A serial may hold a colon (adb over TCP). UsageError lists the forms."""
    kind, _, rest = text.partition(":")
    if text == "local":
        return Address("local")
    # A leading dash would be read as an option by ssh and adb.
    if kind == "adb" and re.fullmatch(r"[A-Za-z0-9._:][A-Za-z0-9._:@()\[\]-]*", rest):
        return Address("adb", rest)
    if kind == "ssh":
        match = re.fullmatch(r"((?:[\w.][\w.-]*@)?(?:[\w.][\w.-]*|\[[0-9A-Fa-f:.%\w]+\]))(?::(\d{1,5}))?", rest)
        port = int(match[2]) if match and match[2] else None
        if match and (port is None or 0 < port < 65536):
            return Address("ssh", match[1], port)
    raise UsageError(
        f"{text!r} is no device", hint=f"a device is {_FORMS}; `edgeshrink devices` lists what is attached"
    )


@dataclass(frozen=True, slots=True)
class CpuCluster:
    """Cores of one kind; `max_mhz` None where the system does not show it."""

    name: str
    cores: int
    max_mhz: float | None = None


@dataclass(frozen=True, slots=True)
class ThermalZone:
    """One temperature sensor, degrees Celsius."""

    name: str
    temperature_c: float


@dataclass(frozen=True, slots=True)
class Battery:
    """`status` as the system words it ("Discharging", "Charging", "Full"); `level_percent` None where unknown."""

    status: str
    level_percent: int | None = None


@dataclass(frozen=True, slots=True)
class ProbedDevice:
    """What a device said about itself. "" or an empty tuple: it showed nothing; `unread` says what and why.

    `id` stays the same until another device, or other hardware, answers at the address. `emulation` is "" for real
    hardware, else what gave it away ("emulated CPU (qemu-user)", "virtual machine (KVM)").
    """

    address: str
    id: str
    system: Literal["linux", "android", "darwin"]
    os: str
    kernel: str
    machine: str
    libc: str
    names: tuple[str, ...]
    cpu: str
    clusters: tuple[CpuCluster, ...]
    cores: int
    cpu_features: tuple[str, ...]
    ram_bytes: int
    available_bytes: int
    page_bytes: int
    gpus: tuple[str, ...] = ()
    npus: tuple[str, ...] = ()
    governor: str = ""
    power_mode: str = ""
    thermal: tuple[ThermalZone, ...] = ()
    battery: Battery | None = None
    emulation: str = ""
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """A probed device, and the small system files that power readers look for: path -> text.

    A program that was looked for stands as `command:NAME` -> its path.
    """

    device: ProbedDevice
    shown: Mapping[str, str] = field(default_factory=dict)
