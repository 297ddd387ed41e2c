"""current_now as phones give it: microamperes either way round, milliamperes either way round."""

from __future__ import annotations

import pytest

from edgeshrink.core.reading import Unmeasured
from edgeshrink.measure.power.android_battery import AndroidBattery
from edgeshrink.measure.power.energy import record_power
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


USB, DC = "/sys/class/power_supply/usb/online", "/sys/class/power_supply/dc/online"


@pytest.mark.parametrize("online", ["1", "2", "", "yes"])
def test_a_charger_beside_a_discharging_battery_is_refused(online: str) -> None:
    reason = AndroidBattery().plan(phone("-500000") | {DC: "0", USB: online})
    assert isinstance(reason, str)
    assert "a charger is plugged in (usb)" in reason and "adb over Wi-Fi" in reason


def test_where_it_cannot_be_seen_whether_a_charger_is_there_nothing_is_measured() -> None:
    reason = AndroidBattery().plan(phone("-500000") | {USB: "", UNREADABLE + USB: "Permission denied"})
    assert "whether a charger is plugged in is not known" in str(reason) and "Permission denied" in str(reason)


def test_what_is_online_without_giving_power_does_not_count() -> None:
    folder = "/sys/class/power_supply"
    plan = planned(phone("-500000") | {f"{folder}/battery/online": "1", f"{folder}/otg/online": "1", USB: "0"})
    assert plan.files[3:] == (USB,)


def test_a_charger_that_is_plugged_in_during_the_session_ends_what_counts() -> None:
    plan = planned(phone("-500000") | {DC: "0", USB: "0"})
    online = ["0"] * 3 + ["1"] * 4 + [None]
    taken = [RawSample(float(n), ("-500000", "4000000", "Discharging", "0", text)) for n, text in enumerate(online)]
    assert [sample.at_s for sample in AndroidBattery().watts(plan, taken)] == [0.0, 1.0, 2.0]
    assert "a charger was plugged in during 4 of 8 readings" in AndroidBattery().settled(plan, taken).why
    record, net = record_power(AndroidBattery(), plan, taken[3:], (3.0, 5.0), [(5.0, 7.0, 10)])
    assert isinstance(net, Unmeasured) and record.origin == "unavailable"
    assert "a charger was plugged in during 4 of 5 readings" in net.reason and "adb over Wi-Fi" in net.reason


def test_a_phone_that_closes_its_files_says_so() -> None:
    shown = phone("") | {UNREADABLE + f"{FOLDER}current_now": "Permission denied"}
    assert "current_now cannot be read: Permission denied" in str(AndroidBattery().plan(shown))
    assert "show no numbers" in str(AndroidBattery().plan(phone("1\n2")))
