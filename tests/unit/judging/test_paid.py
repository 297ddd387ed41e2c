"""A smaller model is kept only if the suite finds it better than what it came from, and than plain quantization."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random
from statistics import fmean

import pytest
from sample_behaviour import sample_behaviour, sample_calm_behaviour

from edgeshrink.core.behaviour import BEHAVIOUR_SCHEMA, Behaviour, Confidence, Metric, Slice
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.judging.gate_words import with_gates
from edgeshrink.judging.paid import Standing, paid, standing


def share(loss: float, *, reference: float = 0.9) -> Metric:
    read = Measured(loss, 100, loss - 0.01, loss + 0.01)
    mine = Measured(reference - loss, 100)
    return Metric("right", "share", "higher", Measured(reference, 100), mine, read, (loss - 0.01, loss + 0.01))


def distance(value: float) -> Metric:
    read = Measured(value, 4096, value, value)
    return Metric("mean KL", "nats", "lower", Unmeasured("a distance"), read, read, (value, value))


def found(**metrics: Metric) -> Behaviour:
    slices = tuple(
        Slice(name.replace("_", "/"), name, 100, None, (metric,)) for name, metric in sorted(metrics.items())
    )
    sure = Confidence(0.05, len(slices), 1)
    return Behaviour(BEHAVIOUR_SCHEMA, "quick", 1, "F32", 1, 100, 0, sure, slices, Unmeasured("no text was read"))


def stands(*failed: str, **parts: float) -> Standing:
    return Standing(failed, (), tuple(parts.items()))


def floor(*words: str) -> QualityFloor:
    return with_gates(QualityFloor(), words)


def test_the_score_is_how_many_times_what_may_be_lost_was_lost_on_average() -> None:
    seen = standing(found(sums=share(0.10), tools=share(-0.2), text_de=distance(0.05)), floor())
    assert dict(seen.parts) == pytest.approx({"sums": 0.10 / 0.05, "tools": 0.0, "text/de": 0.05 / 0.1})
    assert seen.score == pytest.approx((2.0 + 0.0 + 0.5) / 3)
    assert seen.failed == ("slice sums",) and seen.unknown == ()


def test_of_several_gates_on_a_slice_the_one_used_up_most_counts() -> None:
    """Lost 4 points of 90: 0.8 of 5 points; 4.44 % of its own, of 4 %; 86 % where 85 % is wanted: 4 of 5 points."""
    gated = floor("sums:max-degradation=0.05", "sums:percent-max-degradation=4", "sums:threshold=0.85")
    assert dict(standing(found(sums=share(0.04)), gated).parts) == pytest.approx({"sums": (4 / 0.9) / 4})


def test_a_floor_that_the_reference_itself_does_not_hold_gives_no_share_of_it() -> None:
    gated = floor("sums:off", "sums:threshold=0.95")
    seen = standing(found(sums=share(0.01)), gated)
    assert seen.parts == () and seen.score is None
    within = floor("sums:off", "sums:threshold=0.8")
    assert dict(standing(found(sums=share(0.025)), within).parts) == pytest.approx({"sums": 0.25})


def test_a_limit_of_zero_divides_by_nothing() -> None:
    seen = standing(found(sums=share(0.02), tools=share(0.0)), floor("*:max-degradation=0"))
    assert dict(seen.parts)["tools"] == 0.0 and math.isfinite(dict(seen.parts)["sums"])


def test_a_gate_that_is_off_and_a_slice_that_was_not_measured_have_no_part() -> None:
    nothing = replace(share(0.0), loss=Unmeasured("the reference cannot do this"))
    seen = standing(found(sums=share(0.3), tools=nothing), floor("sums:off"))
    assert seen == Standing((), (), ())


def test_a_real_suite_stands_by_the_lines_of_its_verdict() -> None:
    seen = standing(sample_behaviour(), floor())
    assert "slice arithmetic" in seen.failed and len(seen.failed) == 4
    assert dict(seen.parts)["arithmetic"] == pytest.approx(0.425 / 0.05)
    assert seen.score == pytest.approx(fmean(part for _, part in seen.parts))
    assert paid(standing(sample_calm_behaviour(), floor()), seen).kept
    assert not paid(seen, standing(sample_calm_behaviour(), floor())).kept


def test_fewer_failed_gates_win_whatever_the_score() -> None:
    told = paid(stands("a", a=9.0, b=9.0), stands("a", "b", a=1.1, b=1.2))
    assert told.kept and told.why == "fails 1 gate, its start 2"
    back = paid(stands("a", "b", a=1.1, b=1.2), stands("a", a=9.0, b=9.0))
    assert not back.kept and back.why == "fails 2 gates, its start 1: worse"


def test_with_as_many_failed_gates_the_lower_score_wins_and_a_tie_is_refused() -> None:
    start = stands("a", a=2.0, b=0.4)
    assert paid(stands("a", a=1.5, b=0.4), start).kept
    tie = paid(start, start)
    assert not tie.kept and tie.why.endswith("no better")
    assert not paid(stands("a", a=2.0, b=0.4 + 1e-12), start).kept, "a rounding error is no difference"
    assert not paid(stands("a", a=2.5, b=0.4), start).kept


def test_it_has_to_beat_plain_quantization_too() -> None:
    result, start = stands("a", a=2.0), stands("a", "b", a=3.0, b=3.0)
    told = paid(stands("a", a=2.0, b=0.1), start, stands(a=0.9, b=0.9))
    assert not told.kept and told.why == "fails 1 gate, plain quantization none: worse"
    kept = paid(stands("a", a=2.0, b=0.1), start, stands("a", a=2.5, b=0.1))
    assert kept.kept and "its start 2" in kept.why and "plain quantization 1.3" in kept.why
    assert not paid(result, None).kept, "nothing to hold it against is nothing beaten"


def test_nothing_gets_better_by_not_being_measured() -> None:
    start = stands("a", a=4.0, b=0.5)
    told = paid(stands(b=0.5), start)
    assert not told.kept, "the gate that start fails was not passed, it was not measured"
    lost = paid(stands("b", b=2.0), start)
    assert not lost.kept and "1 of them not measured" in lost.why
    assert paid(stands(a=0.5, b=0.5), stands(b=0.4)).kept, "what the start has no figure of counts against the start"


def test_without_a_slice_that_both_have_only_gates_decide() -> None:
    assert not paid(stands(), stands()).kept
    assert paid(stands(), stands("a")).kept


def test_of_two_that_differ_never_both_beat_the_other() -> None:
    chance = Random("duels")
    gates = ("a", "b", "c", "d")

    def any_standing() -> Standing:
        parts = {name: chance.choice((0.0, 0.5, 1.0, 2.0)) for name in gates if chance.random() < 0.8}
        return Standing(tuple(name for name, part in parts.items() if part > 1), (), tuple(parts.items()))

    pairs = [(any_standing(), any_standing()) for _ in range(3000)]
    outcomes = {(paid(one, other).kept, paid(other, one).kept) for one, other in pairs}
    assert outcomes == {(True, False), (False, True), (False, False)}
    assert not any(paid(one, one).kept for one, _ in pairs)
