"""tegrastats, NVIDIA's own monitor on a Jetson: one line of everything at each interval, power rails among it.

Source: NVIDIA's Jetson Linux Developer Guides, "Tegrastats Utility". A rail is `NAME now/average`, in milliwatts; the
letters mW stand behind the numbers from R34 on. The average is since the program's start and of no use here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgeshrink.core.power import PowerSample
from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.jetson_rails import Total, total_of
from edgeshrink.measure.power.readings import in_order, program

_INTERVAL_MS = 100
_RAIL = re.compile(r"(?<!\S)([A-Z0-9][A-Z0-9_]{1,31}) (-?[0-9]{1,9})(?:mW)?(?:/-?[0-9]{1,9}(?:mW)?)+(?=\s|$)")
"""Not memory, whose numbers end in MB or kB; not clocks and temperatures, which have no slash between two numbers."""


class Tegrastats:
    """The same rails as the INA3221's files show, for systems where those are not to be found."""

    name = "tegrastats"
    globs: tuple[str, ...] = ()
    commands = ("tegrastats",)

    def plan(self, shown: Mapping[str, str]) -> SamplingPlan | str:
        path = program(shown, "tegrastats")
        if path is None:
            return "there is no program tegrastats"
        command = (path, "--interval", str(_INTERVAL_MS))
        scope = "the rails that make up the module"
        return SamplingPlan(self.name, scope, "measured", command=command, interval_ms=_INTERVAL_MS)

    def settled(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> SamplingPlan:
        total = _total(samples)
        return plan if total is None else replace(plan, scope=str(total))

    def watts(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> tuple[PowerSample, ...]:
        total = _total(samples)
        if total is None:
            return ()
        found = []
        for sample in in_order(samples, 1):
            rails = _rails(sample)
            if all(rail in rails for rail in total.rails):
                found.append(PowerSample(sample.at_s, sum(rails[rail] for rail in total.rails) / 1e3))
        return tuple(found)


def _total(samples: Sequence[RawSample]) -> Total | None:
    """The rails that most lines add up to: a torn line may lack the one that is the whole."""
    counted = Counter(total for sample in samples if (total := total_of(_rails(sample))) is not None)
    return max(counted, key=lambda total: counted[total], default=None)


def _rails(sample: RawSample) -> dict[str, int]:
    text = sample.texts[0] if sample.texts else None
    return {} if text is None else {name: int(now) for name, now in _RAIL.findall(text)}
