"""A gate is decided by the interval of a loss, and its line tells a person why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import pytest
from sample_behaviour import sample_behaviour

from edgeshrink.core.behaviour import BEHAVIOUR_SCHEMA, Behaviour, Confidence, Metric, Slice
from edgeshrink.core.budget import Budget, QualityFloor
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.verdict import VerdictLine
from edgeshrink.evaluate.slices import figures as evaluated
from edgeshrink.judging.behaviour import (
    CLEAR_OF_CHANCE,
    gate_lines,
    slice_lines,
    undecided,
)
from edgeshrink.judging.gains import Gains, gains_over_source
from edgeshrink.judging.gate_lookup import judged
from edgeshrink.judging.gate_words import with_gates
from edgeshrink.judging.judge import judge
from edgeshrink.judging.limits import widened
from edgeshrink.judging.outcomes import overall

CANNOT = Unmeasured("the reference cannot do this")


def share(loss: float, low: float, high: float, *, reference: float = 0.9, name: str = "right") -> Metric:
    """Bounds are the interval itself."""
    read = Measured(loss, 100, low, high)
    mine = Measured(reference - loss, 100, reference - loss - 0.05, reference - loss + 0.05)
    return Metric(name, "share", "higher", Measured(reference, 100), mine, read, (low, high))


def distance(value: float, low: float, high: float, name: str = "mean KL") -> Metric:
    read = Measured(value, 4096, low, high)
    return Metric(name, "nats", "lower", Unmeasured("a distance"), read, read, (low, high))


def one_slice(name: str, *metrics: Metric) -> Slice:
    return Slice(name, name, 100, None, metrics)


def unmeasured(name: str) -> Slice:
    return one_slice(name, Metric("right", "share", "higher", Measured(0.5, 10), CANNOT, CANNOT))


def behaviour(*slices: Slice) -> Behaviour:
    no_bytes: Reading = Unmeasured("no text was read")
    return Behaviour(BEHAVIOUR_SCHEMA, "quick", 1, "F32", 1, 100, 0, Confidence(0.05, len(slices), 1), slices, no_bytes)


def floor(*words: str) -> QualityFloor:
    return with_gates(QualityFloor(), words)


def lines(words: Sequence[str], *slices: Slice, gains: Gains | None = None) -> dict[str, VerdictLine]:
    return {line.name: line for line in gate_lines(floor(*words), behaviour(*slices), gains)}


@pytest.mark.parametrize(
    ("loss", "low", "high", "outcome"),
    [
        (0.01, -0.02, 0.05, "PASS"),
        (0.042, 0.019, 0.065, "UNKNOWN"),
        (0.06, 0.05, 0.07, "UNKNOWN"),
        (0.09, 0.051, 0.12, "FAIL"),
        (-0.02, -0.05, 0.01, "PASS"),
    ],
)
def test_the_interval_decides(loss: float, low: float, high: float, outcome: str) -> None:
    line = lines([], one_slice("arithmetic", share(loss, low, high)))["slice arithmetic"]
    assert (line.outcome, line.limit, line.unit, line.comparison) == (outcome, 0.05, "share", "<=")
    assert line.reading == Measured(loss, 100, low, high)
    assert (line.slice, line.metric) == ("arithmetic", "right")


def test_a_line_says_what_was_lost_what_is_allowed_and_that_noise_keeps_it_open() -> None:
    line = lines([], one_slice("tools/decision", share(0.042, 0.019, 0.065)))["slice tools/decision"]
    assert line.why == (
        "right 85.8 % against 90.0 % of the reference; lost 4.2 points (1.9 to 6.5 at 95 %), "
        "at most 5 points allowed: noise could still hide more"
    )


def test_a_gain_is_called_one_and_a_distance_is_what_it_is() -> None:
    found = lines([], one_slice("refusal", share(-0.02, -0.05, 0.01)), one_slice("text/de", distance(0.2, 0.15, 0.25)))
    assert "gained 2.0 points (a loss of -5.0 to 1.0" in found["slice refusal"].why
    assert found["slice text/de"].why.startswith("mean KL is 0.2 nats (0.15 to 0.25")
    assert found["slice text/de"].outcome == "FAIL"


def test_without_an_interval_nothing_is_decided_and_no_more_items_are_asked() -> None:
    bare = replace(share(0.5, 0.4, 0.6), bounds=None)
    found = behaviour(one_slice("arithmetic", bare))
    assert [line.outcome for line in slice_lines(floor(), found)] == ["UNKNOWN"]
    assert undecided(floor(), found) == frozenset()


def test_the_most_seen_is_certain_and_what_was_not_seen_is_not() -> None:
    """A maximum: bounds from what was seen to infinity."""
    worst = distance(3.0, 3.0, math.inf, "max KL")
    slices = one_slice("text/en", distance(0.01, 0.0, 0.02), worst)
    assert lines(["text/en:max KL:max-degradation=2"], slices)["slice text/en max KL"].outcome == "FAIL"
    open_line = lines(["text/en:max KL:max-degradation=4"], slices)["slice text/en max KL"]
    assert open_line.outcome == "UNKNOWN" and "3 to anything" in open_line.why


def test_percent_is_of_the_reference_s_own_figure() -> None:
    slices = one_slice("arithmetic", share(0.09, 0.045, 0.18, reference=0.9))
    line = lines(["arithmetic:percent-max-degradation=4"], slices)["slice arithmetic, percent"]
    assert isinstance(line.reading, Measured)
    assert (line.reading.value, line.reading.low, line.reading.high) == pytest.approx((10, 5, 20))
    assert (line.unit, line.outcome) == ("%", "FAIL")
    assert "lost 10 % of the reference's own figure" in line.why


def test_a_floor_looks_at_the_candidate_itself() -> None:
    slices = one_slice("arithmetic", share(0.0, -0.01, 0.01, reference=0.99))
    high = lines(["arithmetic:threshold=0.999"], slices)["slice arithmetic, own figure"]
    low = lines(["arithmetic:threshold=0.8"], slices)["slice arithmetic, own figure"]
    assert (high.outcome, low.outcome, low.comparison) == ("UNKNOWN", "PASS", ">=")
    assert "at least 80 % wanted" in low.why


@pytest.mark.parametrize("each", [0.95, 0.999])
def test_a_share_is_widened_as_wilson_has_it(each: float) -> None:
    """His ends are the shares that lie z of their own standard errors from what was seen."""
    seen, n, z = 0.93, 100, NormalDist().inv_cdf(0.5 + each / 2)
    found = widened(Measured(seen, n), "share", each)
    assert found is not None and found[0] < seen < found[1]
    for end in found:
        assert abs(end - seen) == pytest.approx(z * math.sqrt(end * (1 - end) / n))


def test_a_mean_is_widened_as_the_normal_distribution_is() -> None:
    found = widened(Measured(2.0, 50, 1.0, 2.5), "nats", 0.999)
    assert found == pytest.approx((2 - 3.290527 / 1.959964, 2 + 0.5 * 3.290527 / 1.959964))  # z of both, as tabulated
    assert widened(Measured(2.0, 50), "nats", 0.999) is None


def test_what_was_not_measured_is_unknown_where_a_gate_names_it_and_has_no_line_elsewhere() -> None:
    found = behaviour(unmeasured("bfcl/simple_python"), unmeasured("arithmetic"))
    named = floor("arithmetic:max-degradation=0.1")
    assert {line.name: line.outcome for line in slice_lines(named, found)} == {"slice arithmetic": "UNKNOWN"}
    assert undecided(named, found) == frozenset()


def test_a_reference_that_too_few_items_told_from_chance_gets_more() -> None:
    """At 83 % of 12 items it may well be able to do what guessing does at 50 %; at 50 % it is not."""

    def seen(right: float) -> Slice:
        metric = Metric("right", "share", "higher", Measured(right, 12, right - 0.3, right + 0.1), CANNOT, CANNOT)
        return replace(one_slice("grounding", metric), chance=0.5)

    assert undecided(floor(), behaviour(seen(0.83))) == {"grounding"}
    assert undecided(floor(), behaviour(seen(0.5))) == frozenset()
    assert undecided(floor("*:off"), behaviour(seen(0.83))) == frozenset()


def test_the_room_s_word_for_chance_is_the_evaluation_s() -> None:
    assert CLEAR_OF_CHANCE == evaluated.CLEAR_OF_CHANCE


def test_a_pattern_names_no_slice() -> None:
    found = behaviour(unmeasured("tools/json"))
    assert slice_lines(floor("tools/*:max-degradation=0.1"), found) == ()


def test_a_slice_that_no_family_filled_is_unknown_where_a_gate_names_it() -> None:
    (line,) = slice_lines(floor("own/support:max-degradation=0.1"), behaviour())
    assert (line.outcome, line.slice) == ("UNKNOWN", "own/support")
    assert "suite quick does not ask it" in line.why


def test_a_suite_that_did_not_run_says_why_for_what_was_asked_of_it() -> None:
    why = Unmeasured("this machine cannot run it")
    asked = floor("own/support:max-degradation=0.1", "worst-slice:max-degradation=0.1")
    found = gate_lines(asked, why)
    assert [(line.name, line.outcome, line.why) for line in found] == [
        ("slice own/support", "UNKNOWN", why.reason),
        ("worst slice", "UNKNOWN", why.reason),
    ]
    assert gate_lines(floor(), why) == ()


def test_the_worst_slice_fails_by_any_slice_and_passes_by_all() -> None:
    calm, open_, broken = (
        one_slice("tools/json", share(0.0, -0.01, 0.01)),
        one_slice("recall", share(0.12, 0.02, 0.2)),
        one_slice("arithmetic", share(0.11, 0.105, 0.115)),
    )
    words = ["worst-slice:max-degradation=0.1", "*:off"]
    assert lines(words, calm)["worst slice"].outcome == "PASS"
    assert lines(words, calm, open_)["worst slice"].outcome == "UNKNOWN"
    failed = lines(words, calm, open_, broken)["worst slice"]
    assert failed.outcome == "FAIL"
    assert failed.reading == open_.metrics[0].loss  # it lost most, and the one below it failed beyond noise
    assert undecided(floor(*words), behaviour(calm, open_)) == {"recall"}


def test_distances_are_no_shares() -> None:
    (line,) = gate_lines(
        floor("worst-slice:max-degradation=0.1", "text/*:off"), behaviour(one_slice("text/de", distance(3, 2, 4)))
    )
    assert (line.name, line.outcome, line.why) == ("worst slice", "UNKNOWN", "no slice of shares was measured")


@pytest.mark.parametrize(
    ("loss", "smaller", "outcome"),
    [
        ((0.04, 0.03, 0.05), 60.0, "PASS"),  # 5 points at most: 50 % needed
        ((0.04, 0.03, 0.05), 40.0, "UNKNOWN"),
        ((0.04, 0.03, 0.05), 29.0, "FAIL"),  # 3 points at least: 30 % needed
        ((0.0, -0.02, 0.0), -10.0, "PASS"),  # nothing lost, nothing to be paid
        ((0.0, -0.02, 0.001), -10.0, "UNKNOWN"),
    ],
)
def test_quality_is_given_for_so_much_gain(loss: tuple[float, float, float], smaller: float, outcome: str) -> None:
    gains = Gains("the source", {"artifact-bytes": Measured(smaller)})
    rate = "exchange:artifact-bytes:percent-min-improvement=10"
    line = lines([rate], one_slice("arithmetic", share(*loss)), gains=gains)["artifact-bytes for what any slice lost"]
    assert line.outcome == outcome
    assert line.limit == pytest.approx(1000 * max(loss[0], 0))
    assert isinstance(line.reading, Measured) and line.reading.value == smaller


def test_a_gain_nobody_measured_is_unknown_and_asks_for_no_more_items() -> None:
    rate = "exchange:tools/*:decode-tok-s:percent-min-improvement=5"
    found = behaviour(one_slice("tools/json", share(0.02, 0.01, 0.03)))
    gains = gains_over_source(30, 100, "the source")
    line = gate_lines(floor(rate), found, gains)[-1]
    assert (line.name, line.outcome) == ("decode-tok-s for what tools/* lost", "UNKNOWN")
    assert "the source was not measured" in line.why
    assert undecided(floor(rate), found, gains) == frozenset()


def test_the_size_of_the_source_is_known_in_every_build() -> None:
    gain = gains_over_source(30, 100, "the source").of("artifact-bytes")
    assert isinstance(gain, Measured) and gain.value == pytest.approx(70)


def test_gates_share_one_error() -> None:
    metrics = {"arithmetic": ("right",), "text/de": ("mean KL", "p99 KL"), "tools/json": ("right",)}
    assert judged(floor(), metrics) == {("arithmetic", "right"), ("text/de", "mean KL"), ("tools/json", "right")}
    more = judged(
        floor("text/de:p99 KL:max-degradation=2", "*:off", "exchange:tools/*:ttft-ms:percent-min-improvement=1"),
        metrics,
    )
    assert more == {("text/de", "mean KL"), ("text/de", "p99 KL"), ("tools/json", "right")}


def test_a_build_s_verdict_has_the_lines_of_its_slices() -> None:
    found = sample_behaviour()
    verdict = judge(
        Budget(),
        artifact_bytes=1,
        measurements=Unmeasured("not asked"),
        quality=Unmeasured("not asked"),
        predictions=None,
        behaviour=found,
    )
    alone = gate_lines(QualityFloor(), found)
    assert set(alone) < set(verdict.lines)
    assert verdict.outcome == overall(tuple(line.outcome for line in alone)) == "FAIL"
    failed = {line.slice for line in alone if line.outcome == "FAIL"}
    assert failed == {"text/digits", "text/it", "long-context/constraint", "arithmetic"}
