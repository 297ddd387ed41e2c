"""current_now as phones give it: microamperes either way round, milliamperes either way round."""

from __future__ import annotations

import pytest

from edgeshrink.measure.power.android_battery import AndroidBattery
from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.readings import UNREADABLE

FOLDER = "/sys/class/power_supply/battery/"


def phone(current: str, voltage: str = "4000000", status: str = "Discharging") -> dict[str, str]:
    return {f"{FOLDER}current_now": current, f"{FOLDER}voltage_now": voltage, f"{FOLDER}status": status}


def planned(shown: dict[str, str]) -> SamplingPlan:
    plan = AndroidBattery().plan(shown)
    assert isinstance(plan, SamplingPlan), plan
    return plan


def samples(*currents: int, status: str = "Discharging") -> list[RawSample]:
    return [RawSample(float(n), (str(current), "4000000", status)) for n, current in enumerate(currents)]


@pytest.mark.parametrize(
    ("current", "unit", "sign"),
    [(-500_000, "µA", "negative"), (500_000, "µA", "positive"), (-500, "mA", "negative"), (500, "mA", "positive")],
)
def test_unit_and_sign_are_inferred_and_said(current: int, unit: str, sign: str) -> None:
    plan = planned(phone(str(current)))
    assert plan.origin == "inferred"
    assert f"current_now {current} taken as {unit}, {sign} while discharging: 2.00 W" in plan.why
    found = AndroidBattery().watts(plan, samples(current, 2 * current))
    assert [sample.watts for sample in found] == pytest.approx([2.0, 4.0])


def test_the_busiest_readings_decide_the_unit_not_a_sleeping_phone() -> None:
    plan = planned(phone("20000"))
    assert "neither in µA nor in mA" in plan.why
    taken = samples(20_000, 22_000, 900_000, 950_000, 1_000_000, 940_000)
    settled = AndroidBattery().settled(plan, taken)
    assert "taken as µA" in settled.why
    assert [sample.watts for sample in AndroidBattery().watts(settled, taken)][2:] == pytest.approx(
        [3.6, 3.8, 4.0, 3.76]
    )


def test_a_current_that_fits_no_unit_gives_no_power() -> None:
    taken = samples(*[12_000] * 5)  # 0.05 W or 48 W
    assert AndroidBattery().watts(planned(phone("12000")), taken) == ()
    assert AndroidBattery().watts(planned(phone("0")), samples(0, 0)) == ()


def test_moments_in_which_it_charged_are_left_out() -> None:
    plan = planned(phone("-500000"))
    found = AndroidBattery().watts(plan, samples(-500_000, 300_000, -600_000, -550_000))
    assert [sample.at_s for sample in found] == [0.0, 2.0, 3.0]
    assert AndroidBattery().watts(plan, samples(-500_000, -500_000, status="Charging")) == ()


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging", "Unknown", ""])
def test_a_phone_that_does_not_discharge_is_refused(status: str) -> None:
    reason = AndroidBattery().plan(phone("-500000", status=status))
    assert isinstance(reason, str)
    assert "unplug it" in reason and (status or "unknown") in reason


def test_a_charger_beside_a_discharging_battery_is_noted() -> None:
    shown = phone("-500000") | {"/sys/class/power_supply/usb/online": "1", "/sys/class/power_supply/dc/online": "0"}
    plan = planned(shown)
    (note,) = plan.notes
    assert "a charger is connected (usb)" in note
    assert note in AndroidBattery().settled(plan, samples(-500_000)).why


def test_a_phone_that_closes_its_files_says_so() -> None:
    shown = phone("") | {UNREADABLE + f"{FOLDER}current_now": "Permission denied"}
    assert "current_now cannot be read: Permission denied" in str(AndroidBattery().plan(shown))
    assert "show no numbers" in str(AndroidBattery().plan(phone("1\n2")))
