"""Long runs: what slowed down, when, and what went with it."""

from __future__ import annotations

import pytest

from edgeshrink.core.measurement import SustainedPoint
from edgeshrink.measure.device.events import Sample, Stretch
from edgeshrink.measure.device.sampling import Sampled
from edgeshrink.measure.device.sustained import sustained, throttling

SAMPLED = Sampled("none", (("soc-thermal", "/a"), ("gpu-thermal", "/b")), ("/c0", "/c1"))


def run(seconds: int = 300, slow_from: int = 140, fall: float = 0.23) -> tuple[list[Stretch], list[Sample]]:
    stretches, samples = [], []
    for at in range(seconds):
        begin = 1000.0 + at
        slow = at >= slow_from
        stretches.append(Stretch(begin, begin + 1, round(100 * (1 - fall)) if slow else 100))
        heat, clock = ("92000", "1200000") if slow else ("70000", "1500000")
        for part in (0.25, 0.75):
            samples.append(Sample(begin + part, (heat, "51000", clock, "600000")))
    return stretches, samples


def test_throttling_is_named_with_time_heat_and_clock() -> None:
    found = sustained(*run(), SAMPLED)
    assert found is not None
    words = found.throttling
    assert words.startswith("speed fell by 23 % after 14")
    assert words.endswith(" s while soc-thermal rose to 92 °C and the clock fell from 1.50 to 1.20 GHz")
    assert found.points[0] == SustainedPoint(1.0, 100.0, 70.0, 1500.0)
    last = found.points[-1]
    assert (last.at_s, last.tok_s, last.temperature_c, last.frequency_mhz) == (300.0, 77.0, 92.0, 1200.0)


def test_an_even_run_names_nothing() -> None:
    found = sustained(*run(fall=0.04), SAMPLED)
    assert found is not None and found.throttling == "" and not found.throttled


def test_a_hiccup_is_no_throttling() -> None:
    stretches, samples = run(fall=0.0)
    stretches[150] = Stretch(1150, 1151, 10)
    found = sustained(stretches, samples, SAMPLED)
    assert found is not None and found.throttling == ""
    assert min(point.tok_s for point in found.points) == pytest.approx(70)


def test_a_fall_that_recovers_is_still_told() -> None:
    points = [SustainedPoint(float(at), 60.0 if 100 <= at < 160 else 100.0, None, None) for at in range(300)]
    words = throttling(points, "")
    assert words.startswith("slowed down: speed fell by 40 % after 100 s; this device shows neither")


def test_without_sensors_it_is_said_that_nothing_shows_why() -> None:
    stretches, _ = run()
    found = sustained(stretches, [], Sampled("none", (), ()))
    assert found is not None
    assert found.throttling.endswith("; this device shows neither temperature nor clock")
    assert found.points[5].temperature_c is None and found.points[5].frequency_mhz is None


def test_even_sensors_are_not_blamed() -> None:
    stretches, samples = run()
    even = [Sample(sample.t, ("70000", "51000", "1500000", "600000")) for sample in samples]
    found = sustained(stretches, even, SAMPLED)
    assert found is not None and not found.throttled
    assert found.throttling.startswith("slowed down: speed fell by 23 % after 14")
    assert found.throttling.endswith(" s; neither temperature nor clock says why")


def test_the_work_of_others_is_named_first_unless_heat_says_why() -> None:
    stretches, samples = run()
    even = [Sample(sample.t, ("70000", "51000", "1500000", "600000")) for sample in samples]
    found = sustained(stretches, even, SAMPLED, others=0.62)
    assert found is not None
    assert found.throttling.startswith("slowed down: other programs used 62 % of the CPUs; speed fell by 23 % after 14")
    hot = sustained(stretches, samples, SAMPLED, others=0.62)
    assert hot is not None and hot.throttled and hot.throttling.startswith("speed fell by 23 %")


def test_torn_readings_are_left_out() -> None:
    stretches, samples = run()
    torn = [Sample(sample.t, ("", "x9", None, "-3")) for sample in samples]
    found = sustained(stretches, torn, SAMPLED)
    assert found is not None and found.points[7].temperature_c is None and found.points[7].frequency_mhz is None


def test_too_short_a_run_says_nothing_and_no_run_is_none() -> None:
    assert throttling([SustainedPoint(1.0, 50.0, None, None)] * 4, "") == ""
    assert sustained([], [], SAMPLED) is None


def test_an_hour_is_thinned_for_the_chart() -> None:
    found = sustained(*run(3600, slow_from=4000), SAMPLED)
    assert found is not None and len(found.points) <= 600
