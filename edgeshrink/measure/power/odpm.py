"""On-device power meter of Pixel phones: energy counters of single rails, sensed by their power management chips.

Sources: Google's kernel drivers (`energy_value` of an iio device: microwatt-seconds since boot, lines of
`CH3(T=349894)[S2M_VDD_CPUCL2], 30203502`, before the Pixel 6 `NAME,value`) and AOSP's power stats service, whose dump
has lines of `[S2M_VDD_CPUCL2]:CPU   30203.50 mWs`, in its first version without brackets. The files are often closed
to the shell; the dump is what androidx.benchmark reads too.

Rails of the processor, its graphics, tensor unit, caches and memory are added; those of screen, modem and cameras are
not. Which rails a phone senses is its maker's choice, so their names stand in the scope.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgeshrink.core.power import PowerSample
from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.readings import in_order, means, paths, program, why_unreadable

_IIO = "/sys/bus/iio/devices/iio:device*/"
_ENERGY = r"/sys/bus/iio/devices/iio:device[0-9]+/energy_value"
_SERVICE = "android.hardware.power.stats.IPowerStats/default"
_MANIFEST = r"/vendor/etc/vintf/manifest/[^/]*power\.stats[^/]*pixel[^/]*"
_COMPUTE = re.compile(r"(CPU|G3D|GPU|TPU|MIF|SLC|VDD_INT|VDDQ_MEM|VDD2H?_MEM)")
_RAIL_OF_FILE = re.compile(r"(?<!\S)(?:CH[0-9]+\(T=[0-9]+\)\[)?([A-Z][A-Z0-9_]+)\]?, ?([0-9]{1,19})(?=\s|$)")
_RAIL_OF_DUMP = re.compile(r"(?<!\S)\[?([A-Z][A-Z0-9_]+)(?:\]:[^\s=]*)?=([0-9]{1,15}\.[0-9]{2})(?=\s|$)")

_READ_FILES = (
    'while :; do l=; for f in {files}; do while read -r x; do l="$l $x"; done <"$f"; done; echo "$l"; sleep {s}; done'
)
_READ_DUMP = (
    "while :; do {dumpsys} {service} | {{ m=; l=; while read -r a b c d; do "
    'case "$a" in "============="*) case "$d" in *meter*) m=1;; *) m=;; esac;; "=========="*) m=;; '
    '*) if [ "$m" ] && [ "$c" = mWs ]; then l="$l $a=$b"; fi;; esac; done; echo "$l"; }}; sleep {s}; done'
)
"""Shell builtins only, but for sleep: a phone's shell has these, and they cost little beside a model at work."""


class Odpm:
    """All rails of the processor together."""

    name = "odpm"
    globs = (
        f"{_IIO}energy_value",
        "/vendor/etc/vintf/manifest/*power.stats*pixel*",
    )
    commands = ("dumpsys",)

    def plan(self, shown: Mapping[str, str]) -> SamplingPlan | str:
        files = [match[0] for match in paths(shown, _ENERGY)]
        refused = [reason for file in files if (reason := why_unreadable(shown, file)) is not None]
        if files and not refused:
            rails = {rail for file in files for rail in _rails(shown[file]) if _COMPUTE.search(rail)}
            if not rails:
                return f"no rail of a processor among those in {', '.join(files)}"
            script = _READ_FILES.format(files=" ".join(files), s="0.2")
            return self._plan(script, 200, _scope(rails))
        dumpsys = program(shown, "dumpsys")
        if paths(shown, _MANIFEST) and dumpsys is not None:
            script = _READ_DUMP.format(dumpsys=shlex.quote(dumpsys), service=_SERVICE, s="1")
            return self._plan(script, 1000, "rails of the processor")
        if refused:
            return refused[0]
        return "no energy_value under /sys/bus/iio/devices, and no power stats service of a Pixel"

    def _plan(self, script: str, interval_ms: int, scope: str) -> SamplingPlan:
        command = ("sh", "-c", script)
        return SamplingPlan(self.name, scope, "measured", command=command, interval_ms=interval_ms, averages=True)

    def settled(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> SamplingPlan:
        rails = _compute_rails(samples)
        return replace(plan, scope=_scope(rails)) if rails else plan

    def watts(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> tuple[PowerSample, ...]:
        rails = _compute_rails(samples)
        counts = []
        for sample in in_order(samples, 1):
            found = _rails(sample.texts[0])
            if rails and all(rail in found for rail in rails):
                counts.append((sample.at_s, sum(found[rail] for rail in rails)))
        return means(counts)


def _scope(rails: set[str] | frozenset[str]) -> str:
    return f"processor, graphics and memory, the rails {' + '.join(sorted(rails))}; not screen, radios, losses"


def _compute_rails(samples: Sequence[RawSample]) -> frozenset[str]:
    """Those that most lines have: a torn line has fewer."""
    counted = Counter(
        frozenset(rail for rail in _rails(sample.texts[0] if sample.texts else None) if _COMPUTE.search(rail))
        for sample in samples
    )
    counted.pop(frozenset(), None)
    return max(counted, key=lambda rails: counted[rails], default=frozenset())


def _rails(text: str | None) -> dict[str, float]:
    """Joules of each rail in a line that one of the two loops printed, or in the file itself."""
    if text is None:
        return {}
    found = {name: int(count) / 1e6 for name, count in _RAIL_OF_FILE.findall(text)}
    return found or {name: float(count) / 1e3 for name, count in _RAIL_OF_DUMP.findall(text)}
