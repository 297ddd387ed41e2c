"""For which system and which instructions a runner is built."""

from __future__ import annotations

import platform as host
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from edgeshrink.core.device import ProbedDevice
from edgeshrink.errors import DeviceError, UsageError

System = Literal["linux", "android", "darwin"]
NATIVE = "native"
MACHINES = {"aarch64": "aarch64", "arm64": "aarch64", "x86_64": "x86_64", "amd64": "x86_64"}
"""What systems call a machine -> what compilers do."""
_FAMILIES = {"aarch64": "arm64", "x86_64": "x86-64"}
_SYSTEMS: dict[str, System] = {"": "linux", "android-": "android", "macos-": "darwin"}


@dataclass(frozen=True, slots=True)
class Level:
    """Instructions that a build of ggml may use: `name` is what follows the family's name ("dotprod", "v3"), `isa` as
    compilers spell it, `required` as /proc/cpuinfo does, `checked` as features.cpp does, which looks for them first."""

    name: str
    isa: str
    required: tuple[str, ...]
    checked: tuple[str, ...]


_V3 = ("avx2", "fma", "f16c", "bmi2")
_V3_CHECKED = ("avx", "avx2", "fma", "bmi2")
_ARM_V8_2 = ("lse", "fp16", "dotprod")  # compilers use the LSE atomics as soon as they are told v8.2
# Richest first. Above these ggml has kernels for SVE and SME; they are not ahead of i8mm on 128-bit cores.
# x86-64 levels: System V ABI, AMD64 supplement; a CPU that has AVX512 BW and VL has CD and DQ, too.
LEVELS: dict[str, tuple[Level, ...]] = {
    "aarch64": (
        Level("i8mm", "armv8.2-a+dotprod+fp16+i8mm", ("asimddp", "asimdhp", "i8mm"), (*_ARM_V8_2, "i8mm")),
        Level("dotprod", "armv8.2-a+dotprod+fp16", ("asimddp", "asimdhp"), _ARM_V8_2),
        Level("", "armv8-a", (), ()),
    ),
    "x86_64": (
        Level("v4", "x86-64-v4", (*_V3, "avx512f", "avx512bw", "avx512vl"), (*_V3_CHECKED, "avx512f", "avx512bw")),
        Level("v3", "x86-64-v3", _V3, _V3_CHECKED),
        Level("v2", "x86-64-v2", ("sse4_2",), ("sse4.2",)),
        Level("", "x86-64", (), ()),
    ),
}


@dataclass(frozen=True, slots=True)
class RunnerPlatform:
    """`isa` as compilers spell it ("armv8.2-a+dotprod+fp16", "x86-64-v3"), or "native": this machine, whatever it has.

    `required`: CPU features that the device must have, as /proc/cpuinfo spells them.
    """

    system: System
    machine: str
    isa: str
    required: tuple[str, ...]

    @property
    def level(self) -> str:
        """The short name of the instructions: "arm64-dotprod", "x86-64-v3", "x86-64-native"."""
        family = _FAMILIES[self.machine]
        if self.isa == NATIVE:
            return f"{family}-{NATIVE}"
        return next(_level_name(family, level) for level in LEVELS[self.machine] if level.isa == self.isa)

    @property
    def checked(self) -> tuple[str, ...]:
        """What the runner itself looks for before it computes, as it spells it."""
        return next((level.checked for level in LEVELS[self.machine] if level.isa == self.isa), ())

    @property
    def key(self) -> str:
        """ "linux-arm64-dotprod" """
        return f"{self.system}-{self.level}"


def platform_for(device: ProbedDevice) -> RunnerPlatform:
    """The richest instructions that the device showed; this machine itself is "native".

    DeviceError where nothing can be built for it: a 32-bit system, another architecture.
    """
    if device.address == "local":
        return native_platform()
    return richest_platform(device.system, machine_of(device), device.cpu_features)


def richest_platform(system: System, machine: str, features: Collection[str]) -> RunnerPlatform:
    """With the richest instructions that all of `features` allow, which are spelled as /proc/cpuinfo does."""
    shown = {*features, *(("sse4_2",) if "avx" in features else ())}
    level = next(level for level in LEVELS[machine] if shown.issuperset(level.required))
    return RunnerPlatform(system, machine, level.isa, level.required)


def machine_of(device: ProbedDevice) -> str:
    """ "aarch64" or "x86_64"; DeviceError for any other, which no runner is built for."""
    machine = MACHINES.get(device.machine.lower())
    if machine is None:
        raise DeviceError(
            f"{device.address} is a {device.machine or 'system of unknown machine type'}: there is no runner for it",
            hint="64-bit ARM and x86-64 are supported; a 32-bit system on a 64-bit board can be replaced",
        )
    return machine


def native_platform() -> RunnerPlatform:
    """This machine. DeviceError on Windows and on other architectures."""
    machine = MACHINES.get(host.machine().lower())
    if sys.platform == "win32" or machine is None:
        raise DeviceError(
            f"there is no native runner for {host.system()} on {host.machine()}",
            hint="profile without --device: the installed runtimes measure this machine",
        )
    return RunnerPlatform("darwin" if sys.platform == "darwin" else "linux", machine, NATIVE, ())


def platform(name: str) -> RunnerPlatform:
    """By short name: "native", "arm64-dotprod", "x86-64-v3", "android-arm64-i8mm", "macos-arm64". UsageError."""
    if name == NATIVE:
        return native_platform()
    if name in _BY_NAME:
        return _BY_NAME[name]
    raise UsageError(f"{name!r} is no platform of the runner", hint=f"one of: {', '.join((NATIVE, *_BY_NAME))}")


def _level_name(family: str, level: Level) -> str:
    return f"{family}-{level.name}" if level.name else family


_BY_NAME = {
    prefix + _level_name(_FAMILIES[machine], level): RunnerPlatform(system, machine, level.isa, level.required)
    for prefix, system in _SYSTEMS.items()
    for machine, levels in LEVELS.items()
    for level in levels
}
