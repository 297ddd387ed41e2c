"""A gate that finds no figure to judge never passes in silence; what it looks at has the interval it needs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from compared_reports import measured, report
from sample_behaviour import sample_behaviour

from edgeshrink.core.behaviour import Behaviour, Metric, Slice
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.verdict import VerdictLine
from edgeshrink.judging.behaviour import gate_lines
from edgeshrink.judging.gains import gains_over, improvement
from edgeshrink.judging.gate_lookup import NAMELESS, judged
from edgeshrink.judging.gate_words import with_gates
from edgeshrink.judging.limits import widened
from edgeshrink.judging.outcomes import overall


def share(name: str, reference: float, mine: float, *, better: str = "higher", n: int = 100) -> Slice:
    """A slice whose share stands at `mine`, its interval 2 points to both sides."""
    loss = reference - mine if better == "higher" else mine - reference
    metric = Metric(
        "right",
        "share",
        "lower" if better == "lower" else "higher",
        Measured(reference, n),
        Measured(mine, n, mine - 0.02, mine + 0.02),
        Measured(loss, n, loss - 0.02, loss + 0.02),
        (loss - 0.02, loss + 0.02),
    )
    return Slice(name, name, n, None, (metric,))


def behaviour(*slices: Slice) -> Behaviour:
    return replace(sample_behaviour(), suite="quick", slices=slices)


def floor(*words: str) -> QualityFloor:
    return with_gates(QualityFloor(), ("*:off", *words))


def lines(words: tuple[str, ...], *slices: Slice) -> dict[str, VerdictLine]:
    return {line.name: line for line in gate_lines(floor(*words), behaviour(*slices))}


@pytest.mark.parametrize(
    ("word", "name", "why"),
    [
        ("tolls/*:max-degradation=0.02", "slice tolls/*", "no slice of suite quick is called so"),
        ("tools/*:rigth:max-degradation=0.02", "slice tools/* rigth", "no slice of suite quick has the metric 'rigth'"),
        ("tools/*:rigth:threshold=0.9", "slice tools/* rigth, own figure", "has the metric 'rigth'"),
    ],
)
def test_a_pattern_with_a_slip_in_it_is_unknown(word: str, name: str, why: str) -> None:
    calm = share("tools/json", 0.9, 0.9)
    line = lines((word,), calm)[name]
    assert line.outcome == "UNKNOWN" and why in line.why
    gated = gate_lines(floor(word, "tools/json:max-degradation=0.05"), behaviour(calm))
    assert overall(tuple(line.outcome for line in gated)) == "UNKNOWN"


def test_a_pattern_that_fits_has_no_line_of_its_own() -> None:
    found = lines(("tools/*:max-degradation=0.05",), share("tools/json", 0.9, 0.9))
    assert {line.name: line.outcome for line in found.values()} == {"slice tools/json": "PASS"}


def test_a_percentage_of_nothing_is_unknown_though_only_a_pattern_asks_for_it() -> None:
    """The reference repeats itself never, the candidate in 30 %: no percentage says that, and nothing passes it."""
    found = lines(("stability/*:percent-max-degradation=5",), share("stability/repetition", 0.0, 0.3, better="lower"))
    line = found["slice stability/repetition, percent"]
    assert line.outcome == "UNKNOWN" and "is 0" in line.why


def test_a_slice_that_could_not_be_measured_stays_without_a_line_under_a_pattern() -> None:
    cannot = Unmeasured("the reference cannot do this")
    blind = share("tools/json", 0.5, 0.5)
    blind = replace(blind, metrics=(replace(blind.metrics[0], candidate=cannot, loss=cannot, bounds=None),))
    assert lines(("tools/*:max-degradation=0.05",), blind) == {}


def test_the_worst_slice_under_a_floor_is_the_one_furthest_beyond_it_whichever_way_it_points() -> None:
    """A calibration error of 5 % is good, 70 % right is not: of both the same floor of 60 % leaves less room here."""
    error = share("calibration/answers", 0.05, 0.05, better="lower")
    right = share("tools/json", 0.7, 0.7)
    line = lines(("worst-slice:threshold=0.6",), error, right)["worst slice, own figure"]
    assert line.why.startswith("tools/json, of 2 slices") and line.outcome == "PASS"


def test_a_share_with_an_interval_that_is_not_wilson_s_grows_as_it_was_given() -> None:
    """Of a calibration error over 8,000 positions Wilson's interval would be a tenth as wide."""
    given = Measured(0.10, 8000, 0.06, 0.15)
    at_95, sure = widened(given, "share", 0.95), widened(given, "share", 0.999)
    assert at_95 == pytest.approx((0.06, 0.15))
    assert sure == pytest.approx((0.10 - 0.04 * 3.290527 / 1.959964, 0.10 + 0.05 * 3.290527 / 1.959964))
    assert widened(Measured(0.01, 8000, 0.0, 0.05), "share", 0.999) == (0.0, pytest.approx(0.01 + 0.04 * 1.678871))


def test_a_floor_beside_a_limit_is_a_second_interval() -> None:
    both = floor("tools/json:max-degradation=0.05,threshold=0.5")
    assert len(judged(both, {"tools/json": ("right",)})) == 2
    assert len(judged(floor("tools/json:threshold=0.5"), {"tools/json": ("right",)})) == 1


def test_a_slice_whose_metrics_get_their_names_when_it_has_run_is_counted() -> None:
    assert len(judged(floor("lm-eval/piqa:acc:max-degradation=0.02"), {"lm-eval/piqa": NAMELESS})) == 1


def _with_prompts(seen: Measurements, *prompts: tuple[int, float]) -> Measurements:
    point = seen.prefill[0]
    points = (replace(point, prompt_tokens=tokens, ttft_p50_ms=Measured(ms)) for tokens, ms in prompts)
    return replace(seen, prefill=tuple(points))


def test_the_time_to_the_first_token_is_compared_at_one_length() -> None:
    """One session had room for 1,024 tokens, the baseline's had not."""
    mine = _with_prompts(measured(50.0, 400.0), (256, 90.0), (1024, 400.0))
    before = report(1000, None, _with_prompts(measured(50.0, 400.0), (64, 25.0), (256, 100.0)))
    gain = gains_over(before, 900, mine).of("ttft-ms")
    assert isinstance(gain, Measured) and gain.value == pytest.approx(10)
    apart = gains_over(before, 900, _with_prompts(mine, (1024, 400.0))).of("ttft-ms")
    assert isinstance(apart, Unmeasured) and "same length" in apart.reason


def test_a_baseline_that_may_be_nothing_has_no_percentage() -> None:
    assert isinstance(improvement("ttft-ms", Measured(5.0), Measured(4.0, 5, -1.0, 9.0)), Unmeasured)
