"""powermetrics, Apple's own: CPU, GPU and neural engine of the chip, as root.

Source: powermetrics(1), which says of its power values that they are estimated, may be inaccurate, and should not be
used for any comparison between devices. So every figure is modelled.
It prints property lists, a NUL between two. They are tens of kilobytes each, of which four figures count: awk keeps
those, one line a list. sudo never asks here (-n): where it would have to, no line comes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from edgeshrink.core.power import PowerSample
from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.readings import AsPlanned, in_order, program

_INTERVAL_MS = 200
_PARTS = ("cpu", "gpu", "ane")
_NUMBER = r"<(?:real|integer)>([0-9]{1,15}(?:\.[0-9]{1,15})?)</(?:real|integer)>"
_FIGURE = re.compile(rf"<key>([a-z_]{{1,30}})</key>\s*{_NUMBER}")
_KEEP = (
    r"/<key>(elapsed_ns|[a-z]+_power|[a-z]+_energy)<\/key>/ "
    r"""{ k = $0; if (k !~ /<\/(real|integer)>/) { getline v; k = k v }; printf "%s ", k } """
    r"""/<\/plist>/ { print ""; fflush() }"""
)
_SCRIPT = (
    f'"$1" -n "$2" --samplers cpu_power,gpu_power,ane_power -i {_INTERVAL_MS} -b 1 --format plist 2>/dev/null'
    f" | awk '{_KEEP}'"
)


class Powermetrics(AsPlanned):
    """The sum of the three, as the program gives it, or added here where it gives them one by one."""

    name = "powermetrics"
    globs: tuple[str, ...] = ()
    commands = ("powermetrics", "sudo")

    def plan(self, shown: Mapping[str, str]) -> SamplingPlan | str:
        powermetrics, sudo = program(shown, "powermetrics"), program(shown, "sudo")
        if powermetrics is None or sudo is None:
            return f"there is no program {'powermetrics' if powermetrics is None else 'sudo'}"
        return SamplingPlan(
            self.name,
            "CPU, GPU and neural engine of the chip",
            "modelled",
            "Apple calls these figures estimates: a model of the chip's use, not a sensor",
            command=("sh", "-c", _SCRIPT, "sh", sudo, powermetrics),
            interval_ms=_INTERVAL_MS,
            notes=("it needs sudo without a password",),
            averages=True,
        )

    def watts(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> tuple[PowerSample, ...]:
        found = []
        for sample in in_order(samples, 1):
            figures: dict[str, float] = {}
            for name, number in _FIGURE.findall(sample.texts[0] or ""):
                figures.setdefault(name, float(number))
            watts = _watts(figures)
            if watts is not None:
                found.append(PowerSample(sample.at_s, watts))
        return tuple(found)


def _watts(figures: Mapping[str, float]) -> float | None:
    """From milliwatts; the first systems on Apple's chips gave energies only, millijoules over elapsed_ns."""
    if "combined_power" in figures:
        return figures["combined_power"] / 1e3
    powers = [figures.get(f"{part}_power") for part in _PARTS]
    if None not in powers:
        return sum(power for power in powers if power is not None) / 1e3
    energies = [figures.get(f"{part}_energy") for part in _PARTS]
    if None not in energies and figures.get("elapsed_ns"):
        return sum(energy for energy in energies if energy is not None) / 1e3 / (figures["elapsed_ns"] / 1e9)
    return None
