"""INA3221, the power monitor on Jetson modules, through its files.

Sources: the kernel's Documentation/hwmon/ina3221.rst (JetPack 5 and later: bus voltage in millivolts in in1..in3,
current in milliamperes in curr1..curr3; in4..in7 are shunt voltages in microvolts) and NVIDIA's guides of JetPack 4
(iio: rail_name_N, in_powerN_input in milliwatts). A channel labelled NC is not connected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeshrink.core.power import PowerSample
from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.jetson_rails import total_of
from edgeshrink.measure.power.readings import AsPlanned, in_order, integer, paths, why_unreadable, words

_HWMON = "/sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/"
_IIO = "/sys/bus/i2c/drivers/ina3221x/*/iio:device*/"
_LABEL = r"(/sys/bus/i2c/drivers/ina3221/[0-9]+-[0-9a-f]+/hwmon/hwmon[0-9]+/)in([123])_label"
_RAIL_NAME = r"(/sys/bus/i2c/drivers/ina3221x/[0-9]+-[0-9a-f]+/iio:device[0-9]+/)rail_name_([012])"


class Ina3221(AsPlanned):
    """The rails that make up the whole module, added; see jetson_rails."""

    name = "ina3221"
    globs = (
        f"{_HWMON}in[123]_label",
        f"{_HWMON}in[123]_input",
        f"{_HWMON}curr[123]_input",
        f"{_IIO}rail_name_[012]",
        f"{_IIO}in_power[012]_input",
    )
    commands: tuple[str, ...] = ()

    def plan(self, shown: Mapping[str, str]) -> SamplingPlan | str:
        rails = _rails(shown)
        if not rails:
            return "no INA3221 in /sys/bus/i2c/drivers/ina3221 or ina3221x"
        total = total_of(rails)
        if total is None:
            return f"its rails are {', '.join(rails)}: which of them make up the module is not known"
        files = tuple(file for rail in total.rails for file in rails[rail])
        for file in files:
            if (reason := why_unreadable(shown, file)) is not None:
                return reason
            if integer(shown.get(file)) is None:
                return f"{file} shows no number"
        return SamplingPlan(self.name, str(total), "measured", files=files)

    def watts(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> tuple[PowerSample, ...]:
        as_power = any("/in_power" in file for file in plan.files)
        found = []
        for sample in in_order(samples, len(plan.files)):
            numbers = [number for text in sample.texts if (number := integer(text)) is not None]
            if not numbers or len(numbers) != len(sample.texts):
                continue
            if as_power:
                watts = sum(numbers) / 1e3
            else:
                watts = sum(mv * ma for mv, ma in zip(numbers[::2], numbers[1::2], strict=True)) / 1e6
            found.append(PowerSample(sample.at_s, watts))
        return tuple(found)


def _rails(shown: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Label -> its files: voltage and current, or power."""
    rails: dict[str, tuple[str, ...]] = {}
    for match in paths(shown, _LABEL):
        folder, channel = match.groups()
        rails.setdefault(words(shown[match[0]]), (f"{folder}in{channel}_input", f"{folder}curr{channel}_input"))
    if not rails:
        for match in paths(shown, _RAIL_NAME):
            folder, channel = match.groups()
            rails.setdefault(words(shown[match[0]]), (f"{folder}in_power{channel}_input",))
    return {label: files for label, files in rails.items() if label not in ("", "NC")}
