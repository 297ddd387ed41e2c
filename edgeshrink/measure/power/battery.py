"""A laptop's battery while it discharges: what the whole machine draws, screen and disk with it.

Source: the kernel's Documentation/ABI/testing/sysfs-class-power: power_now in microwatts, current_now in microamperes,
voltage_now in microvolts, status. Firmware brings the figures up to date every second to every half minute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeshrink.core.power import PowerSample
from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.readings import AsPlanned, in_order, integer, paths, why_unreadable, words

_SUPPLIES = "/sys/class/power_supply/*/"
_TYPE = r"(/sys/class/power_supply/([A-Za-z0-9_.-]+)/)type"
_INTERVAL_MS = 250
"""Often enough for what firmware does; asking it can take milliseconds."""
_FILES = ("type", "scope", "online", "status", "power_now", "current_now", "voltage_now")


class LaptopBattery(AsPlanned):
    """All batteries of the machine together, none of them charging; batteries of mice and keyboards do not count."""

    name = "battery"
    globs = tuple(f"{_SUPPLIES}{file}" for file in _FILES)
    commands: tuple[str, ...] = ()

    def plan(self, shown: Mapping[str, str]) -> SamplingPlan | str:
        supplies = {match[1]: match[2] for match in paths(shown, _TYPE)}
        batteries = [
            folder
            for folder in supplies
            if shown[f"{folder}type"].strip() == "Battery" and shown.get(f"{folder}scope", "").strip() != "Device"
        ]
        if not batteries:
            return "no battery in /sys/class/power_supply"
        for folder in batteries:
            if (reason := why_unreadable(shown, f"{folder}status")) is not None:
                return reason
        states = {supplies[folder]: words(shown.get(f"{folder}status", "")) or "unknown" for folder in batteries}
        if "Discharging" not in states.values() or "Charging" in states.values():
            said = ", ".join(f"{words(name)} is {state}" for name, state in states.items())
            return f"{said}: only a discharging battery shows what the machine draws (unplug the charger)"
        chargers = [name for folder, name in supplies.items() if _is_charging_from(shown, folder)]
        if chargers:
            return f"{words(chargers[0])} is plugged in although the battery discharges: its share would be missing"
        files: list[str] = []
        for folder in batteries:
            if f"{folder}power_now" in shown:
                needed = [f"{folder}power_now"]
            else:
                needed = [f"{folder}current_now", f"{folder}voltage_now"]
            for file in needed:
                if (reason := why_unreadable(shown, file)) is not None:
                    return reason
                if integer(shown.get(file)) is None:
                    return f"{words(supplies[folder])} shows no power ({file})"
            files += [*needed, f"{folder}status"]
        scope = f"the whole machine, from {', '.join(words(supplies[folder]) for folder in batteries)}"
        return SamplingPlan(self.name, scope, "measured", files=tuple(files), interval_ms=_INTERVAL_MS)

    def watts(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> tuple[PowerSample, ...]:
        found = []
        for sample in in_order(samples, len(plan.files)):
            watts = _total(plan.files, sample.texts)
            if watts is not None:
                found.append(PowerSample(sample.at_s, watts))
        return tuple(found)


def _is_charging_from(shown: Mapping[str, str], folder: str) -> bool:
    """Mains and USB supplies say online 1, or 2 for a programmable one; a battery has no such file."""
    return shown[f"{folder}type"].strip() != "Battery" and shown.get(f"{folder}online", "").strip() not in ("", "0")


def _total(files: Sequence[str], texts: Sequence[str | None]) -> float | None:
    """Watts of all batteries that discharge; None where one charges, none discharges, or a text is no number."""
    total, discharging = 0.0, False
    numbers: list[int] = []
    for file, text in zip(files, texts, strict=True):
        if not file.endswith("/status"):
            if (number := integer(text)) is None:
                return None
            numbers.append(abs(number))  # some firmware counts what leaves as negative
            continue
        state = "" if text is None else text.strip()
        if state in ("", "Charging"):
            return None
        if state == "Discharging":
            discharging = True
            total += numbers[0] / 1e6 if len(numbers) == 1 else numbers[0] * numbers[1] / 1e12
        numbers = []
    return total if discharging else None
