"""macmon on a Mac: one JSON object a line, without root.

Source: macmon's readme (`pipe`), MIT. Two kinds of figures are in a line, watts both:
- `sys_power` is the system management controller's key PSTR, which Linux's macsmc-hwmon driver shows as the sensor
  "Total System Power". Some of that controller's values are derived ones (the driver says so), and Apple documents
  neither the key nor how it is filtered: inferred.
- `cpu_power`, `gpu_power`, `ane_power` and their sum `all_power` come from the energy model behind IOReport, the one
  that `powermetrics` shows and that Apple calls estimates: modelled. They are taken where a Mac shows no sys_power.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgeshrink.core.power import PowerSample
from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.readings import in_order, program

_INTERVAL_MS = 100
_PARTS = ("cpu_power", "gpu_power", "ane_power")
_FIGURES = ("sys_power", "all_power", *_PARTS)
_MODELLED = "cpu_power, gpu_power and ane_power are Apple's own estimates: a model of the chip's use, not a sensor"


class Macmon:
    """The whole Mac where its controller shows that, else the chip as Apple's model sees it."""

    name = "macmon"
    globs: tuple[str, ...] = ()
    commands = ("macmon",)

    def plan(self, shown: Mapping[str, str]) -> SamplingPlan | str:
        path = program(shown, "macmon")
        if path is None:
            return "there is no program macmon (brew install macmon)"
        command = (path, "pipe", "-i", str(_INTERVAL_MS))
        return SamplingPlan(
            self.name,
            "the whole Mac, screen and disk with it (sys_power)",
            "inferred",
            "sys_power is the controller's key PSTR; Apple does not document it, Linux calls it Total System Power",
            command=command,
            interval_ms=_INTERVAL_MS,
        )

    def settled(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> SamplingPlan:
        lines = _lines(samples)
        if not lines or _is_sensed(lines):
            return plan
        scope = "CPU, GPU and neural engine of the chip"
        return replace(plan, scope=scope, origin="modelled", why=_MODELLED, averages=True)

    def watts(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> tuple[PowerSample, ...]:
        lines = _lines(samples)
        sensed = _is_sensed(lines)
        found = []
        for at_s, line in lines:
            watts = line.get("sys_power") if sensed else _chip(line)
            if watts is not None:
                found.append(PowerSample(at_s, watts))
        return tuple(found)


def _lines(samples: Sequence[RawSample]) -> list[tuple[float, dict[str, float]]]:
    """The power figures of each line that is one whole JSON object and has some."""
    found = []
    for sample in in_order(samples, 1):
        try:
            line = json.loads(sample.texts[0] or "")
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict):
            watts = {name: power for name in _FIGURES if (power := _power(line.get(name))) is not None}
            if watts:
                found.append((sample.at_s, watts))
    return found


def _power(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    return None


def _is_sensed(lines: Sequence[tuple[float, Mapping[str, float]]]) -> bool:
    """Whether most lines have a sys_power; Macs without the key show 0."""
    return 2 * sum(line.get("sys_power", 0.0) > 0 for _, line in lines) > len(lines)


def _chip(line: Mapping[str, float]) -> float | None:
    if "all_power" in line:
        return line["all_power"]
    return sum(line[part] for part in _PARTS) if all(part in line for part in _PARTS) else None
