"""A phone's battery while it discharges: what the whole phone draws, screen and radios with it.

The kernel's sysfs-class-power says microamperes for current_now; some vendors give milliamperes, and the sign of a
discharge differs from phone to phone. Both are inferred: of the two units only one makes a phone's power plausible.
The fuel gauge brings its figure up to date every quarter second to every few seconds. (`dumpsys batterystats` is
computed from a table of what parts should draw; nothing senses it, so it is no source here.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgeshrink.core.power import PowerSample
from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.readings import in_order, integer, paths, why_unreadable, words

_FOLDER = "/sys/class/power_supply/battery/"
_FILES = tuple(f"{_FOLDER}{file}" for file in ("current_now", "voltage_now", "status"))
_ONLINE = r"/sys/class/power_supply/(?!battery/|otg/)([A-Za-z0-9_.-]+)/online"
"""0: nothing there; 1 and 2: a charger (sysfs-class-power). Samsung's battery/online is a kind of cable, otg gives."""
_MOST_SUPPLIES = 16
_CHARGER = "its share of the power is missing here: use adb over Wi-Fi, and unplug the phone"
_INTERVAL_MS = 250
PLAUSIBLE_W = (0.2, 15.0)
"""What a phone that is awake draws; a thousand times less or more is no phone."""
_UNITS = (("µA", 1e-6), ("mA", 1e-3))


class AndroidBattery:
    """current_now x voltage_now. Refused while the battery charges, for then the charger's power is in it; and while a
    charger is there at all: a phone at work may draw from both. Both are looked at again with every reading.
    """

    name = "android-battery"
    globs = (f"{_FOLDER}*_now", f"{_FOLDER}status", "/sys/class/power_supply/*/online")
    commands: tuple[str, ...] = ()

    def plan(self, shown: Mapping[str, str]) -> SamplingPlan | str:
        for file in _FILES:
            if file not in shown:
                return f"no {file}"
            if (reason := why_unreadable(shown, file)) is not None:
                return reason
        current, voltage = (integer(shown[file]) for file in _FILES[:2])
        status = words(shown[_FILES[2]])
        if status != "Discharging":
            return (
                f"the battery's status is {status or 'unknown'}: only a discharging battery shows what the phone draws "
                "(unplug it; adb works over Wi-Fi)"
            )
        if current is None or voltage is None:
            return f"current_now and voltage_now show no numbers: {words(shown[_FILES[0]])}, {words(shown[_FILES[1]])}"
        supplies = paths(shown, _ONLINE)[:_MOST_SUPPLIES]
        for match in supplies:
            if (reason := why_unreadable(shown, match[0])) is not None:
                return f"whether a charger is plugged in is not known: {reason}"
            if not _is_off(shown[match[0]]):
                return f"a charger is plugged in ({words(match[1])}) although the battery discharges: {_CHARGER}"
        return SamplingPlan(
            self.name,
            "the whole phone, from its battery",
            "inferred",
            _why(current, voltage),
            files=(*_FILES, *(match[0] for match in supplies)),
            interval_ms=_INTERVAL_MS,
        )

    def settled(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> SamplingPlan:
        typical = _typical(_readings(plan, samples))
        charged = sum(_is_charged(sample) for sample in in_order(samples, len(plan.files)))
        said = [f"a charger was plugged in during {charged} of {len(samples)} readings: {_CHARGER}"] if charged else []
        why = plan.why if typical is None else _why(*typical)
        return replace(plan, why="; ".join((why, *said)))

    def watts(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> tuple[PowerSample, ...]:
        readings = _readings(plan, samples)
        typical = _typical(readings)
        unit = None if typical is None else _unit(*typical)
        if typical is None or unit is None:
            return ()
        sign = 1 if typical[0] > 0 else -1
        amperes = dict(_UNITS)[unit]
        return tuple(
            PowerSample(at_s, sign * current * amperes * voltage / 1e6)
            for at_s, current, voltage in readings
            if sign * current > 0  # the other way it charged for a moment
        )


def _readings(plan: SamplingPlan, samples: Sequence[RawSample]) -> list[tuple[float, int, int]]:
    """Moment, current and voltage as the files have them, where the battery discharged and alone gave power."""
    found = []
    for sample in in_order(samples, len(plan.files)):
        current, voltage, status = integer(sample.texts[0]), integer(sample.texts[1]), sample.texts[2]
        if status is None or status.strip() != "Discharging" or not all(map(_is_off, sample.texts[3:])):
            continue
        if current and voltage and voltage > 0:
            found.append((sample.at_s, current, voltage))
    return found


def _is_off(online: str | None) -> bool:
    """Nothing is plugged in there. What cannot be read may be a charger."""
    return integer(online) == 0


def _is_charged(sample: RawSample) -> bool:
    return any(integer(text) for text in sample.texts[3:])


def _typical(readings: Sequence[tuple[float, int, int]]) -> tuple[int, int] | None:
    """Current, with the sign that most have, and voltage of a busy moment: the reading above which a tenth is."""
    if not readings:
        return None
    negative = 2 * sum(current < 0 for _, current, _ in readings) > len(readings)
    ordered = sorted((abs(current), voltage) for _, current, voltage in readings)
    current, voltage = ordered[(len(ordered) * 9) // 10]
    return (-current if negative else current), voltage


def _unit(current: int, voltage: int) -> str | None:
    """The only unit that makes a phone's power of it; None where none or both do (they are a thousand apart)."""
    low, high = PLAUSIBLE_W
    return next((unit for unit, amperes in _UNITS if low <= abs(current) * amperes * voltage / 1e6 <= high), None)


def _why(current: int, voltage: int) -> str:
    unit = _unit(current, voltage)
    sign = "negative" if current < 0 else "positive"
    if unit is None:
        return f"current_now {current} is a phone's power neither in µA nor in mA at {voltage / 1e6:.2f} V"
    watts = abs(current) * dict(_UNITS)[unit] * voltage / 1e6
    return f"current_now {current} taken as {unit}, {sign} while discharging: {watts:.2f} W, no other unit is plausible"
