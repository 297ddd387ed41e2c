"""Files as three generations of Jetson software show them; label lists from NVIDIA's guides and device trees."""

from __future__ import annotations

import math
import random
from bisect import bisect
from collections.abc import Callable
from itertools import accumulate

import numpy as np
import pytest

from edgeshrink.core.reading import Measured
from edgeshrink.measure.power.energy import record_power
from edgeshrink.measure.power.ina3221 import Ina3221
from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.readings import UNREADABLE


def hwmon(*chips: tuple[str, ...], first: int = 1) -> dict[str, str]:
    """JetPack 5 and 6: labels of the channels of each chip; 5000 mV and 1000 mA everywhere, and shunt voltages."""
    shown = {}
    for n, labels in enumerate(chips):
        folder = f"/sys/bus/i2c/drivers/ina3221/1-004{n}/hwmon/hwmon{first + n}/"
        for channel, label in enumerate(labels, start=1):
            shown[f"{folder}in{channel}_label"] = label
            shown[f"{folder}in{channel}_input"] = "5000"
            shown[f"{folder}curr{channel}_input"] = "1000"
            shown[f"{folder}in{channel + 3}_input"] = "400000"
        shown |= {f"{folder}in7_label": "sum of shunt voltages", f"{folder}in7_input": "1200000"}
    return shown


def iio(*chips: tuple[str, ...]) -> dict[str, str]:
    """JetPack 4: the same, 5000 mW everywhere."""
    shown = {}
    for n, labels in enumerate(chips):
        folder = f"/sys/bus/i2c/drivers/ina3221x/1-004{n}/iio:device{n}/"
        for channel, label in enumerate(labels):
            shown[f"{folder}rail_name_{channel}"] = label
            shown[f"{folder}in_power{channel}_input"] = "5000"
    return shown


def watts(shown: dict[str, str]) -> tuple[SamplingPlan, float]:
    """The plan, and what it makes of one reading of exactly what was shown."""
    plan = Ina3221().plan(shown)
    assert isinstance(plan, SamplingPlan), plan
    (found,) = Ina3221().watts(plan, [RawSample(0.0, tuple(shown[file] for file in plan.files))])
    return plan, found.watts


@pytest.mark.parametrize(
    ("shown", "total"),
    [
        pytest.param(hwmon(("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC")), 5, id="Orin Nano and NX, JetPack 5 and 6"),
        pytest.param(iio(("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC")), 5, id="Xavier NX, JetPack 4"),
        pytest.param(iio(("POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU")), 5, id="Nano, JetPack 4"),
        pytest.param(
            iio(
                ("VDD_SYS_GPU", "VDD_SYS_SOC", "VDD_4V0_WIFI"),
                ("VDD_IN", "VDD_SYS_CPU", "VDD_SYS_DDR"),
                ("VDD_MUX", "VDD_5V0_IO_SYS", "VDD_3V3_SYS"),
            ),
            5,
            id="TX2 with its carrier board, JetPack 4",
        ),
        pytest.param(iio(("GPU", "CPU", "SOC"), ("CV", "VDDRQ", "SYS5V")), 30, id="AGX Xavier, JetPack 4"),
        pytest.param(
            hwmon(("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), ("NC", "VDDQ_VDD2_1V8AO", "NC")),
            15,
            id="AGX Orin, JetPack 5 and 6: memory is part of the 5 V rail",
        ),
        pytest.param(hwmon(("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0")), 15, id="AGX Thor, JetPack 7"),
    ],
)
def test_rails_are_added_once_and_never_with_their_parts(shown: dict[str, str], total: float) -> None:
    plan, found = watts(shown)
    assert found == pytest.approx(total)
    assert plan.origin == "measured"
    assert "whole module" in plan.scope
    assert not any("in7" in file or "/in4" in file for file in plan.files)


def test_rails_that_nobody_knows_are_a_reason_not_a_sum() -> None:
    reason = Ina3221().plan(hwmon(("VDD_A", "VDD_B", "NC")))
    assert isinstance(reason, str)
    assert "VDD_A, VDD_B" in reason


def test_a_channel_that_may_not_be_read_or_is_off_is_a_reason() -> None:
    folder = "/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/"
    shown = hwmon(("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"))
    off = shown | {f"{folder}curr1_input": "", UNREADABLE + f"{folder}curr1_input": "No data available"}
    assert "No data available" in str(Ina3221().plan(off))
    del shown[f"{folder}curr1_input"]
    assert "curr1_input shows no number" in str(Ina3221().plan(shown))


SWITCHES = list(accumulate(random.Random(3).uniform(0.8, 3.0) for _ in range(100)))


def steps(at_s: float) -> float:
    return 1500.0 if bisect(SWITCHES, at_s) % 2 else 600.0


def ramps(at_s: float) -> float:
    return 500.0 + 1000.0 * abs((at_s / 4) % 2 - 1)


def bursts(at_s: float) -> float:
    return 700.0 + 200.0 * math.sin(2 * math.pi * 0.7 * at_s) + (400.0 if at_s % 5 > 3.3 else 0.0)


@pytest.mark.parametrize("milliamperes", [steps, ramps, bursts])
def test_energy_of_a_known_waveform_is_within_one_percent_at_20_hz(milliamperes: Callable[[float], float]) -> None:
    shown = hwmon(("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"))
    plan = Ina3221().plan(shown)
    assert isinstance(plan, SamplingPlan)
    rng, idle_ma = random.Random(7), 250.0
    load, ends = 6.0, 76.0
    samples, at_s = [], 0.0
    while at_s < ends + 1:
        now = idle_ma if at_s < load else milliamperes(at_s)
        samples.append(RawSample(at_s, ("5000", str(round(now)))))
        at_s += rng.uniform(0.045, 0.055)
    windows = [(8.0 + 22.0 * n + rng.random(), 28.0 + 22.0 * n + rng.random(), 50) for n in range(3)]
    record, net = record_power(Ina3221(), plan, samples, (0.5, 5.5), windows)
    truth = []
    for began, ended, tokens in windows:
        grid = np.linspace(began, ended, 200_001)
        joules = np.trapezoid([5 * milliamperes(moment) / 1e3 for moment in grid], grid)
        truth.append(1e3 * (joules - 5 * idle_ma / 1e3 * (ended - began)) / tokens)
    assert isinstance(net, Measured)
    assert net.value == pytest.approx(sorted(truth)[1], rel=0.01)
    assert net.low is not None and net.high is not None
    assert net.low <= min(truth) and max(truth) <= net.high
    assert isinstance(record.baseline_w, Measured) and record.baseline_w.value == pytest.approx(1.25)
    if milliamperes is not steps:  # power that stands still for seconds hides how often a sensor is brought up to date
        assert record.rate_hz == pytest.approx(20, rel=0.05)
