"""RAPL, the energy counters of Intel and AMD processors, as Linux shows them.

Source: the kernel's Documentation/power/powercap/powercap.rst. `energy_uj` counts microjoules and starts again at 0
after `max_energy_range_uj`. The counters are those of the whole package: other programs and idle power are in it,
DRAM, display and power supply are not. Since 2020 (CVE-2020-8694) only root may read them, unless allowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeshrink.core.power import PowerSample
from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.readings import AsPlanned, in_order, integer, means, paths, why_unreadable

_ZONES = "/sys/class/powercap/*/"
_ZONE_NAME = r"(/sys/class/powercap/(?:intel|amd)-rapl:[0-9]+)/name"
_MOST_W = 5000.0
"""More than any processor takes: what a counter that was read wrong would come to, not one that started again."""
_ALLOW = "sudo chmod a+r /sys/class/powercap/*-rapl:*/energy_uj"


class Rapl(AsPlanned):
    """All processor packages together. Zones below them are parts of them; psys is the platform with them in it."""

    name = "rapl"
    globs = (f"{_ZONES}name", f"{_ZONES}energy_uj", f"{_ZONES}max_energy_range_uj")
    commands: tuple[str, ...] = ()

    def plan(self, shown: Mapping[str, str]) -> SamplingPlan | str:
        found = {match[1]: shown[match[0]].strip() for match in paths(shown, _ZONE_NAME)}
        zones = [zone for zone, name in found.items() if name.startswith("package")]
        scope = "processor packages: everything that ran on them, idle power included; not DRAM, not the board"
        if not zones:
            zones = [zone for zone, name in found.items() if name == "psys"][:1]
            scope = "the platform as the processor sees it (psys): board included, not the display's own supply"
        if not zones:
            return "no package zone in /sys/class/powercap/intel-rapl:*"
        for zone in zones:
            for file in (f"{zone}/energy_uj", f"{zone}/max_energy_range_uj"):
                if (reason := why_unreadable(shown, file)) is not None:
                    return f"{reason} (until the next boot, `{_ALLOW}` lets everybody)"
                if (number := integer(shown.get(file))) is None or number < 0:
                    return f"{file} shows no number"
        files = tuple(f"{zone}/{file}" for zone in zones for file in ("energy_uj", "max_energy_range_uj"))
        return SamplingPlan(self.name, f"RAPL, {scope}", "measured", files=files, averages=True)

    def watts(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> tuple[PowerSample, ...]:
        total, before_s = 0, 0.0
        before: list[int] = []
        counts: list[tuple[float, float]] = []
        for sample in in_order(samples, len(plan.files)):
            numbers = [number for text in sample.texts if (number := integer(text)) is not None and number >= 0]
            if not numbers or len(numbers) != len(sample.texts):
                continue
            counters, ranges = numbers[::2], numbers[1::2]
            steps = zip(before, counters, ranges, strict=False)
            spent = sum(now - was if now >= was else max(0, now - was + span) for was, now, span in steps)
            if before and spent > 1e6 * _MOST_W * (sample.at_s - before_s):
                continue
            before, before_s, total = counters, sample.at_s, total + spent
            counts.append((sample.at_s, total / 1e6))
        return means(counts)
