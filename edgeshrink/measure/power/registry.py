"""The power readers by name, loaded when they are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from edgeshrink.errors import PlanError
from edgeshrink.measure.power.interface import PowerReader, SamplingPlan

_ROOM = "edgeshrink.measure.power"
READERS: dict[str, str] = {
    "rapl": f"{_ROOM}.rapl:Rapl",
    "battery": f"{_ROOM}.battery:LaptopBattery",
    "ina3221": f"{_ROOM}.ina3221:Ina3221",
    "tegrastats": f"{_ROOM}.tegrastats:Tegrastats",
    "odpm": f"{_ROOM}.odpm:Odpm",
    "android-battery": f"{_ROOM}.android_battery:AndroidBattery",
    "macmon": f"{_ROOM}.macmon:Macmon",
    "powermetrics": f"{_ROOM}.powermetrics:Powermetrics",
}


def reader(name: str) -> PowerReader:
    """The reader of that name; PlanError lists the known ones."""
    place = READERS.get(name)
    if place is None:
        raise PlanError(f"unknown power source {name!r}", hint=f"known power sources: {', '.join(READERS)}")
    module, _, attribute = place.partition(":")
    return cast(PowerReader, getattr(importlib.import_module(module), attribute)())


def choose(names: Sequence[str], shown: Mapping[str, str]) -> tuple[PowerReader, SamplingPlan] | str:
    """The first of `names` that can be sampled on a device that shows this; else the sentence of what was tried."""
    tried = []
    for name in names:
        if name not in READERS:
            tried.append(f"{name}: edgeshrink has no such reader")
            continue
        candidate = reader(name)
        plan = candidate.plan(shown)
        if isinstance(plan, SamplingPlan):
            return candidate, plan
        tried.append(f"{name}: {plan}")
    return "no power source: " + ("tried " + "; ".join(tried) if tried else "the target names none")


def all_globs(names: Iterable[str]) -> tuple[str, ...]:
    """What a probe must look for so that `choose` knows; names nobody knows are passed over."""
    return tuple(dict.fromkeys(glob for name in names if name in READERS for glob in reader(name).globs))


def all_commands(names: Iterable[str]) -> tuple[str, ...]:
    """The programs that a probe must look for, likewise."""
    return tuple(dict.fromkeys(command for name in names if name in READERS for command in reader(name).commands))
