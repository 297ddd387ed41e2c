"""Files as Intel (energy, power_now), older (charge, current_now) and two-battery laptops show them."""

from __future__ import annotations

import pytest

from edgeshrink.measure.power.battery import LaptopBattery
from edgeshrink.measure.power.interface import RawSample, SamplingPlan

FOLDER = "/sys/class/power_supply/"


def supply(name: str, **files: str) -> dict[str, str]:
    return {f"{FOLDER}{name}/{file}": text for file, text in files.items()}


BY_POWER = supply("BAT0", type="Battery", status="Discharging", power_now="8250000", voltage_now="15600000")
BY_CURRENT = supply("CMB1", type="Battery", status="Discharging", current_now="1250000", voltage_now="12000000")
NEGATIVE = supply("macsmc-battery", type="Battery", status="Discharging", power_now="-4100000")
MAINS_AND_MOUSE = supply("AC", type="Mains", online="0") | supply(
    "hidpp_battery_0", type="Battery", scope="Device", status="Charging", voltage_now="3900000"
)
TWO = supply("BAT1", type="Battery", status="Discharging", power_now="6000000") | supply(
    "BAT0", type="Battery", status="Not charging", power_now="0"
)


def watts(shown: dict[str, str], texts: tuple[str | None, ...] | None = None) -> list[float]:
    plan = LaptopBattery().plan(shown)
    assert isinstance(plan, SamplingPlan), plan
    sample = RawSample(0.0, texts or tuple(shown[file] for file in plan.files))
    return [found.watts for found in LaptopBattery().watts(plan, [sample])]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        pytest.param(BY_POWER, 8.25, id="power_now in microwatts"),
        pytest.param(BY_CURRENT, 15.0, id="current_now times voltage_now"),
        pytest.param(NEGATIVE, 4.1, id="what leaves counted as negative"),
        pytest.param(BY_POWER | MAINS_AND_MOUSE, 8.25, id="mains and a mouse beside it"),
        pytest.param(TWO, 6.0, id="two batteries, one of them at rest"),
        pytest.param(BY_POWER | BY_CURRENT, 23.25, id="two batteries that discharge together"),
    ],
)
def test_what_the_machine_draws(shown: dict[str, str], expected: float) -> None:
    assert watts(shown) == pytest.approx([expected])


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging", "Unknown", ""])
def test_a_battery_that_does_not_discharge_is_refused_with_its_state(status: str) -> None:
    reason = LaptopBattery().plan(supply("BAT0", type="Battery", status=status, power_now="8250000"))
    assert isinstance(reason, str)
    assert f"BAT0 is {status or 'unknown'}" in reason and "unplug" in reason


def test_a_charger_that_is_plugged_in_meanwhile_ends_the_readings() -> None:
    assert watts(BY_POWER, ("8250000", "Charging")) == []
    assert watts(BY_POWER, ("8250000", None)) == []
    assert watts(BY_CURRENT, ("1250000", "12000000", "Full")) == []


def test_a_battery_without_power_is_a_reason() -> None:
    assert "shows no power" in str(LaptopBattery().plan(supply("BAT0", type="Battery", status="Discharging")))
    assert "no battery" in str(LaptopBattery().plan(MAINS_AND_MOUSE))


def test_a_charger_beside_a_discharging_battery_is_refused() -> None:
    """A machine at work may draw from both, and only the battery's share would be seen."""
    shown = {
        "/sys/class/power_supply/BAT0/type": "Battery",
        "/sys/class/power_supply/BAT0/status": "Discharging",
        "/sys/class/power_supply/BAT0/power_now": "12000000",
        "/sys/class/power_supply/AC/type": "Mains",
        "/sys/class/power_supply/AC/online": "0",
    }
    assert isinstance(LaptopBattery().plan(shown), SamplingPlan)
    reason = LaptopBattery().plan({**shown, "/sys/class/power_supply/AC/online": "1"})
    assert isinstance(reason, str)
    assert "AC is plugged in" in reason
