"""Energy from readings whose truth is known: numpy's trapezoid on a dense grid, and sums by hand."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeshrink.core.power import PowerRecord, PowerSample
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.measure.power.curve import Curve
from edgeshrink.measure.power.energy import no_power, record_power
from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.readings import AsPlanned

PLAN = SamplingPlan("bench", "all that the bench draws", "measured", files=("watts",))


class Watts(AsPlanned):
    """A sensor whose one file is the watts."""

    name = "bench"
    globs: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    def plan(self, shown: object) -> SamplingPlan | str:
        return PLAN

    def watts(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> tuple[PowerSample, ...]:
        found = [(sample.at_s, sample.texts[0] or "") for sample in samples]
        return tuple(PowerSample(at_s, float(text)) for at_s, text in found if re.fullmatch(r"[0-9.]+", text))


def sampled(power: Callable[[float], float], ends: float, every_s: float = 0.05) -> list[RawSample]:
    rng, at_s, found = random.Random(5), 0.0, []
    while at_s < ends:
        found.append(RawSample(at_s, (f"{power(at_s):.6f}",)))
        at_s += every_s * rng.uniform(0.8, 1.2)
    return found


def recorded(
    samples: list[RawSample],
    idle: tuple[float, float] | None,
    *decodes: tuple[float, float, int],
    plan: SamplingPlan = PLAN,
) -> tuple[PowerRecord, Reading]:
    return record_power(Watts(), plan, samples, idle, decodes)


def measured(reading: Reading) -> Measured:
    assert isinstance(reading, Measured), reading
    assert reading.low is not None and reading.high is not None
    assert reading.low <= reading.value <= reading.high
    return reading


def bounds(reading: Measured) -> tuple[float, float]:
    assert reading.low is not None and reading.high is not None
    return reading.low, reading.high


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 2.0), st.floats(0.0, 50.0)), min_size=3, max_size=40),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
)
def test_the_integral_is_numpys_on_irregular_readings_clipped_to_the_window(
    rows: list[tuple[float, float]], one: float, other: float
) -> None:
    at = np.cumsum([gap for gap, _ in rows])
    watts = np.array([power for _, power in rows])
    began, ended = (float(at[0] + share * (at[-1] - at[0])) for share in sorted((one, other)))
    samples = [PowerSample(float(a), float(w)) for a, w in zip(at, watts, strict=True)]
    knots = np.concatenate([[began], at[(at > began) & (at < ended)], [ended]])
    expected = np.trapezoid(np.interp(knots, at, watts), knots)
    assert Curve.through(samples, averages=False).joules(began, ended) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    counter = np.concatenate([[0.0], np.cumsum(watts[1:] * np.diff(at))])  # of readings that are means since the last
    spent = np.interp(ended, at, counter) - np.interp(began, at, counter)
    assert Curve.through(samples, averages=True).joules(began, ended) == pytest.approx(spent, rel=1e-9, abs=1e-9)


def test_what_the_device_draws_at_rest_is_taken_off() -> None:
    samples = sampled(lambda at_s: 3.0 if at_s < 10 else 12.0, 45)
    record, net = recorded(samples, (1, 9), (12, 22, 100), (24, 44, 200))
    assert measured(net).value == pytest.approx(9.0 * 10 / 100 * 1e3)
    assert measured(net).n == 2
    assert measured(record.gross_mj_per_token).value == pytest.approx(1200)
    assert measured(record.baseline_w).value == pytest.approx(3)
    assert measured(record.decode_w).value == pytest.approx(12)
    assert record.idle == (1, 9) and record.decodes == ((12, 22), (24, 44))
    for word in ("2 stretches", "20", "3 W at rest"):
        assert word in measured(net).how


def test_the_median_stands_for_the_decodes_and_the_interval_holds_them_all() -> None:
    levels = {12: 8.0, 24: 9.0, 36: 14.0}
    samples = sampled(lambda at_s: 2.0 if at_s < 10 else levels[max(w for w in levels if w <= max(at_s, 12))], 48)
    _, net = recorded(samples, (1, 9), (12.5, 22.5, 100), (24.5, 34.5, 100), (36.5, 46.5, 100))
    low, high = bounds(measured(net))
    assert measured(net).value == pytest.approx(700)
    assert low == pytest.approx(600) and high == pytest.approx(1200)


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_holds_the_truth_where_readings_fluctuate(seed: int) -> None:
    rng = random.Random(seed)

    def power(at_s: float) -> float:
        return (3.0 if at_s < 10 else 9.0) + rng.gauss(0, 1.0)

    samples = sampled(power, 34)
    _, net = recorded(samples, (0, 10), (12, 22, 100), (22, 32, 100))
    low, high = bounds(measured(net))
    assert low < 600 < high
    assert high - low < 200, "and says something"


def test_power_that_jumps_at_the_ends_of_a_decode_widens_its_interval() -> None:
    """Where in the gap between two readings it jumped, nobody knows."""

    def power(at_s: float) -> float:
        return 10.0 if 12 <= at_s < 14 else 2.0

    (_, jumps), (_, stands) = (
        recorded(sampled(power, 20), (0, 10), (12, 14, 10)),
        recorded(sampled(lambda at_s: 2.0 if at_s < 11 else 10.0, 20), (0, 10), (12, 14, 10)),
    )
    low, high = bounds(measured(jumps))
    assert low < 1600 < high
    assert high - low >= 1e3 * 0.05 * 8 / 10, "half a gap at each end"
    assert (bounds(measured(stands))[1] - bounds(measured(stands))[0]) < 1


def test_too_few_readings_say_how_long_to_decode() -> None:
    samples = sampled(lambda at_s: 3.0 if at_s < 10 else 12.0 + at_s % 1, 20)
    record, net = recorded(samples, (1, 9), (12, 12.3, 10))
    assert isinstance(net, Unmeasured) and isinstance(record.gross_mj_per_token, Unmeasured)
    assert "decode for longer" in net.reason and "0.3 s" in net.reason
    assert measured(record.baseline_w).value == pytest.approx(3)


def test_a_sensor_slower_than_its_sampling_is_seen_and_said() -> None:
    rng = random.Random(1)
    values = [(3.0 if second < 15 else 9.0) + rng.uniform(-0.2, 0.2) for second in range(60)]
    samples = sampled(lambda at_s: values[int(at_s)], 58)
    record, net = recorded(samples, (1, 14), (17, 37, 100), (37, 57, 100))
    assert record.rate_hz == pytest.approx(1, rel=0.1)
    assert "read every 0.05 s, brought up to date every" in record.why
    assert measured(net).value == pytest.approx(1200, rel=0.03)
    _, short = recorded(samples, (1, 14), (17, 22, 100))
    assert isinstance(short, Unmeasured) and "decode for longer, 10 s" in short.reason


def test_without_rest_there_is_energy_in_all_but_none_of_its_own() -> None:
    samples = sampled(lambda at_s: 12.0, 30)
    record, net = recorded(samples, None, (12, 22, 100))
    assert isinstance(net, Unmeasured) and "at rest is not known" in net.reason
    assert measured(record.gross_mj_per_token).value == pytest.approx(1200)
    _, net = recorded(samples, (5, 5), (12, 22, 100))
    assert isinstance(net, Unmeasured) and "no rest" in net.reason


def test_few_readings_at_rest_leave_much_open() -> None:
    values = [3.0, 3.4, 2.8, 3.2, 3.1]
    samples = sampled(lambda at_s: values[int(at_s)] if at_s < 5 else 9.0 + math.sin(9 * int(at_s)) / 50, 30, 0.1)
    few = measured(recorded(samples, (0.05, 4.9), (8, 28, 10))[0].baseline_w)
    low, high = bounds(few)
    assert low < 2.9 and high > 3.3, "Student's t of five readings"


def test_a_device_that_draws_no_more_at_work_has_no_energy_of_a_token() -> None:
    samples = sampled(lambda at_s: 5.0 if at_s < 10 else 4.9, 40)
    _, net = recorded(samples, (1, 9), (12, 22, 100))
    assert net == Unmeasured("no difference from rest that this sensor can show: 5 W at rest, 4.9 W while decoding")


@pytest.mark.parametrize("averages", [False, True])
def test_a_sensor_that_stands_still_gives_no_energy_above_rest(averages: bool) -> None:
    plan = SamplingPlan("bench", "all", "measured", files=("watts",), averages=averages)
    record, net = recorded(sampled(lambda at_s: 4.97, 40), (1, 9), (12.1, 22.3, 100), (24.7, 35.2, 97), plan=plan)
    assert net == Unmeasured("no difference from rest that this sensor can show: 4.97 W at rest, 4.97 W while decoding")
    assert measured(record.gross_mj_per_token).value == pytest.approx(4.97 * 10.35 / 98.5 * 1e3, rel=0.06)


def test_a_difference_within_the_noise_is_none() -> None:
    rng = random.Random(2)
    samples = sampled(lambda at_s: (5.0 if at_s < 10 else 5.02) + rng.gauss(0, 0.5), 34)
    _, net = recorded(samples, (0, 10), (12, 22, 100), (22, 32, 100))
    assert isinstance(net, Unmeasured) and net.reason.startswith("no difference from rest")


def test_readings_that_stop_cost_the_decode_they_stop_in() -> None:
    samples = [s for s in sampled(lambda at_s: 3.0 if at_s < 10 else 12.0, 50) if not 27 < s.at_s < 31]
    record, net = recorded(samples, (1, 9), (12, 22, 100), (24, 34, 100), (36, 46, 100))
    assert measured(net).n == 2
    assert record.decodes == ((12, 22), (36, 46))
    _, net = recorded(samples, (1, 9), (24, 34, 100))
    assert isinstance(net, Unmeasured) and "readings stopped for 4" in net.reason
    _, net = recorded(samples, (1, 9), (60, 70, 100))
    assert isinstance(net, Unmeasured) and "no reading" in net.reason


def test_torn_readings_are_counted() -> None:
    samples = sampled(lambda at_s: 3.0 if at_s < 10 else 12.0, 30)
    for index in (20, 30, 300):
        samples[index] = RawSample(samples[index].at_s, ("3\n4",))
    samples[310] = RawSample(samples[310].at_s, ("99999999",))
    record, net = recorded(samples, (1, 9), (12, 22, 100))
    assert "4 of" in record.why and "left out" in record.why
    assert measured(net).value == pytest.approx(900)


def test_a_counter_read_at_both_ends_needs_nothing_between() -> None:
    """As on this host, where files are read when a decode begins and ends."""
    counter = SamplingPlan("bench", "counter", "measured", files=("watts",), averages=True)
    rest = [RawSample(0.05 * n, ("3.0",)) for n in range(100)]
    ends = [RawSample(6.0, ("20.0",)), RawSample(6.25, ("11.0",)), RawSample(6.3, ("20.0",)), RawSample(6.5, ("13.0",))]
    record, net = recorded(rest + ends, (0.0, 4.9), (6.0, 6.25, 10), (6.3, 6.5, 10), plan=counter)
    assert measured(net).value == pytest.approx((8 * 0.25 / 10 * 1e3 + 10 * 0.2 / 10 * 1e3) / 2)
    assert record.decodes == ((6.0, 6.25), (6.3, 6.5))


def test_no_reading_at_all_names_what_may_have_kept_the_source_silent() -> None:
    plan = SamplingPlan("powermetrics", "chip", "modelled", command=("x",), notes=("it needs sudo without a password",))
    record, net = recorded([], (0, 1), (2, 9, 5), plan=plan)
    assert record.origin == "unavailable" and record.source == "powermetrics"
    assert isinstance(net, Unmeasured) and "gave no reading; it needs sudo" in net.reason
    record, net = recorded([RawSample(1.0, ("x",))], (0, 1), (2, 9, 5))
    assert isinstance(net, Unmeasured) and "none of 1 readings" in net.reason
    record, net = no_power("no power source: tried rapl: nothing")
    assert record.origin == "unavailable" and record.why == "no power source: tried rapl: nothing"
    assert net == record.baseline_w == Unmeasured("no power source: tried rapl: nothing")


def test_a_long_session_keeps_a_timeline_of_means() -> None:
    record, _ = recorded(sampled(lambda at_s: at_s, 200), None, (12, 22, 100))
    assert 200 <= len(record.timeline) <= 410
    assert all(abs(sample.watts - sample.at_s) < 1e-5 for sample in record.timeline)
