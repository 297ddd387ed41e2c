"""What is sampled on a device while a model runs: the files of a power reader, and where it gets hot and slow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edgeshrink.core.device import Probe
from edgeshrink.devices.state import CPU_SENSORS
from edgeshrink.measure.device.events import Sample
from edgeshrink.measure.power.interface import PowerReader, RawSample, SamplingPlan
from edgeshrink.measure.power.registry import all_commands, all_globs, choose

_ZONES = "/sys/class/thermal/thermal_zone*/"
_CPU = "/sys/devices/system/cpu"
_CLOCK_FILE = "/scaling_cur_freq"
_CLOCKS = (f"{_CPU}/cpufreq/policy*{_CLOCK_FILE}", f"{_CPU}/cpu[0-9]*/cpufreq{_CLOCK_FILE}")
_HEAT_GLOBS = (f"{_ZONES}type", f"{_ZONES}temp", *_CLOCKS)
_MOST_ZONES = 6
"""Some sensors take milliseconds to answer, and all of them together would disturb what is measured."""
_MOST_CLOCKS = 4
_HEAT_INTERVAL_MS = 500
_SLOW_INTERVAL_MS = 2000
"""Beside a session that is not watched over time: a handful of small files then costs nothing."""


def globs(power_sources: Sequence[str]) -> tuple[str, ...]:
    """Files that a probe must look for, so that a session knows what it can sample."""
    return tuple(dict.fromkeys((*all_globs(power_sources), *_HEAT_GLOBS)))


def commands(power_sources: Sequence[str]) -> tuple[str, ...]:
    """Programs that a probe must look for."""
    return tuple(all_commands(power_sources))


@dataclass(frozen=True, slots=True)
class Sampled:
    """What a session samples. `power`: the reader and its plan, or why there is none. Zones are (name, file)."""

    power: tuple[PowerReader, SamplingPlan] | str
    zones: tuple[tuple[str, str], ...]
    clocks: tuple[str, ...]
    slow: bool = False
    """Heat and clocks are looked at now and then only, for the figure under load."""

    @property
    def plan(self) -> SamplingPlan | None:
        return None if isinstance(self.power, str) else self.power[1]

    @property
    def power_files(self) -> tuple[str, ...]:
        return () if self.plan is None else self.plan.files

    @property
    def command(self) -> tuple[str, ...]:
        """The program whose lines are power readings; () where files are read, or nothing is."""
        return () if self.plan is None else self.plan.command

    @property
    def files(self) -> tuple[str, ...]:
        """In the order of each sample's texts."""
        return (*self.power_files, *(file for _, file in self.zones), *self.clocks)

    @property
    def interval_ms(self) -> int:
        if self.plan is not None and self.plan.files:
            return self.plan.interval_ms
        return _SLOW_INTERVAL_MS if self.slow else _HEAT_INTERVAL_MS

    def power_samples(self, samples: Sequence[Sample]) -> list[RawSample]:
        count = len(self.power_files)
        return [RawSample(sample.t, _padded(sample.v, count)) for sample in samples] if count else []

    def temperature(self, sample: Sample) -> tuple[float, str] | None:
        """The hottest of the zones, degrees Celsius, and its name."""
        begin = len(self.power_files)
        texts = sample.v[begin : begin + len(self.zones)]
        seen = [(celsius(text), name) for text, (name, _) in zip(texts, self.zones, strict=False)]
        return max(((value, name) for value, name in seen if value is not None), default=None)

    def frequency_mhz(self, sample: Sample) -> float | None:
        """The clock of the fastest cluster."""
        begin = len(self.power_files) + len(self.zones)
        seen = [int(text) for text in sample.v[begin:] if text is not None and re.fullmatch(r"\d{1,12}", text)]
        return max(seen) / 1e3 if seen else None


def _padded(texts: tuple[str | None, ...], count: int) -> tuple[str | None, ...]:
    return (*texts[:count], *(None,) * (count - len(texts)))


def plan_sampling(probe: Probe, power_sources: Sequence[str], *, sustained: bool) -> Sampled:
    """What this device lets a session sample: heat and clocks fast beside a `sustained` run, else now and then.

    Files of a power source set the pace for all files: beside them it is the one sensor that is hottest now.
    """
    sampled = Sampled(choose(power_sources, probe.shown), _zones(probe.shown), _clocks(probe.shown))
    if sustained:
        return sampled
    if sampled.power_files:
        hottest = max(sampled.zones, key=lambda zone: celsius(probe.shown[zone[1]]) or 0.0, default=None)
        return Sampled(sampled.power, (hottest,) if hottest else (), ())
    return replace(sampled, slow=True)


def _clocks(shown: Mapping[str, str]) -> tuple[str, ...]:
    """One file a cluster of cores; where the system groups them not, those of a few cores, the last among them."""
    paths = [path for path, text in shown.items() if path.startswith("/") and path.endswith(_CLOCK_FILE) and text]
    found = [path for path in paths if "/policy" in path] or paths
    found.sort(key=lambda path: [int(number) for number in re.findall(r"\d+", path)])
    step = max(1, -(-len(found) // _MOST_CLOCKS))
    return tuple(reversed(found[::-1][::step]))


def _zones(shown: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The processor's own sensors; where none is named so, whatever there is."""
    found = []
    for path in shown:
        if match := re.fullmatch(r"(/sys/class/thermal/thermal_zone(\d+))/temp", path):
            if celsius(shown[path]) is None:
                continue  # disabled zones answer with an error
            name = shown.get(f"{match[1]}/type", "") or f"thermal_zone{match[2]}"
            found.append((int(match[2]), name, path))
    found.sort()
    named = [(name, path) for _, name, path in found if name.lower().startswith(CPU_SENSORS)]
    return tuple((named or [(name, path) for _, name, path in found])[:_MOST_ZONES])


def celsius(text: str | None) -> float | None:
    """A thermal zone's text: millidegrees, or degrees on some vendors' kernels. None where it is no temperature."""
    if text is None or not re.fullmatch(r"-?\d{1,6}", text.strip()):
        return None
    value = int(text)
    degrees = value / 1000 if abs(value) >= 1000 else float(value)
    return degrees if -40 <= degrees <= 150 else None
