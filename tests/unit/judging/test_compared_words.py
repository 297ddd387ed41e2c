"""Better, worse, the same or unclear: an interval says it, and only what is beyond all allowance is a regression."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from statistics import NormalDist

import pytest
from sample_behaviour import sample_behaviour, sample_calm_behaviour

from edgeshrink.core.behaviour import Failures
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.compared import ComparedRow, Word
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.judging.behaviour import slice_lines
from edgeshrink.judging.compared import gains_of, quality_rows, ratio_rows, size_row, word_for
from edgeshrink.judging.difference import combined, difference, same_items
from edgeshrink.judging.gate_words import with_gates

Z95 = NormalDist().inv_cdf(0.975)


@pytest.mark.parametrize(
    ("bounds", "allowed", "word"),
    [
        ((0.001, 0.09), 0.05, "worse"),
        ((-0.09, -0.001), 0.05, "better"),
        ((-0.02, 0.04), 0.05, "same"),
        ((-0.02, 0.06), 0.05, "unclear"),
        ((-0.06, 0.02), 0.05, "same"),
        ((0.0, 0.0), None, "same"),
        ((-0.01, 0.01), None, "unclear"),
        (None, 0.05, "unclear"),
    ],
)
def test_the_interval_gives_the_word(bounds: tuple[float, float] | None, allowed: float | None, word: Word) -> None:
    assert word_for(bounds, allowed) == word


def row_of(ratio: Reading, name: str, tolerance: float = 5.0) -> ComparedRow:
    (row,) = ratio_rows([(name, Measured(1.0), Measured(1.0), ratio)], tolerance)
    return row


def test_a_slower_b_is_worse_by_percent_of_a() -> None:
    """B decodes at half of A's speed; it takes twice as long to the first token."""
    decode = row_of(Measured(2.0, 8, 1.9, 2.1), "decode, tok/s")
    first = row_of(Measured(0.5, 8, 0.4, 0.5), "TTFT at 256 tokens, ms")
    for row, value, low, high in ((decode, 50, 100 * 0.9 / 1.9, 100 * 1.1 / 2.1), (first, 100, 100, 150)):
        assert isinstance(row.change, Measured)
        assert row.change.value == pytest.approx(value)
        assert row.bounds == pytest.approx((low, high))
        assert (row.word, row.regression, row.group) == ("worse", True, "speed")


def test_slower_within_the_tolerance_is_worse_and_no_regression() -> None:
    row = row_of(Measured(1.03, 8, 1.02, 1.07), "decode, tok/s")
    assert (row.word, row.regression) == ("worse", False)
    assert row_of(Measured(1.0, 8, 0.97, 1.04), "decode, tok/s").word == "same"
    assert row_of(Measured(1.0, 8, 0.97, 1.07), "decode, tok/s").word == "unclear"
    assert row_of(Measured(1.1, 3), "peak RSS, bytes").word == "unclear"


def test_a_size_is_exact() -> None:
    assert (size_row(100, 100, 5).word, size_row(100, 100, 5).regression) == ("same", False)
    assert (size_row(100, 103, 5).word, size_row(100, 103, 5).regression) == ("worse", False)
    assert (size_row(100, 106, 5).word, size_row(100, 106, 5).regression) == ("worse", True)
    assert (size_row(100, 30, 5).word, size_row(100, 30, 5).regression) == ("better", False)


def test_what_is_worse_is_a_loss_where_an_exchange_rate_asks() -> None:
    rows = [size_row(100, 30, 5), row_of(Measured(2.0, 8, 1.9, 2.1), "decode, tok/s")]
    gains = gains_of(rows, "A")
    smaller, faster = gains.of("artifact-bytes"), gains.of("decode-tok-s")
    assert isinstance(smaller, Measured) and smaller.value == pytest.approx(70)
    assert isinstance(faster, Measured) and (faster.value, faster.low) == pytest.approx((-50, -100 * 1.1 / 2.1))
    assert isinstance(gains.of("ttft-ms"), Unmeasured)


def test_two_independent_losses_add_up_as_normal_ones_do() -> None:
    """Of two normal figures the difference's standard error is the root of both squares."""
    low, high = combined(0.02, (0.02 - 3 * Z95, 0.02 + 3 * Z95), 0.05, (0.05 - 4 * Z95, 0.05 + 4 * Z95))
    assert (low, high) == pytest.approx((0.03 - 5 * Z95, 0.03 + 5 * Z95))


def test_the_combined_interval_holds_what_it_promises() -> None:
    """Uneven intervals (of exponential means) simulated: the true difference lies inside in 95 % of the cases."""
    random, held, runs = Random("coverage"), 0, 3000
    for _ in range(runs):
        ends = []
        for rate in (1.0, 0.5):
            total = sum(random.expovariate(rate) for _ in range(40))
            # 2 * rate * total is chi-squared with 80 degrees of freedom: 2.5 % and 97.5 % are 57.153 and 106.629.
            ends.append((total / 40, (2 * total / 106.629, 2 * total / 57.153)))
        low, high = combined(*ends[0], *ends[1])
        held += low <= 1.0 <= high
    assert held / runs == pytest.approx(0.95, abs=0.015)


def rows(a_is_broken: bool) -> dict[str, ComparedRow]:
    calm, broken = sample_calm_behaviour(), sample_behaviour()
    found = difference(broken, calm) if a_is_broken else difference(calm, broken)
    return {row.name: row for row in quality_rows(found, slice_lines(QualityFloor(), found)) if row.allowed is not None}


def test_what_b_lost_beyond_a_s_loss_is_a_regression() -> None:
    found = rows(a_is_broken=False)
    regressed = {name for name, row in found.items() if row.regression}
    assert {"arithmetic", "text/digits"} <= regressed
    assert not regressed & {"tools/json", "text/general", "format/stop", "refusal"}
    sums = found["arithmetic"]
    assert isinstance(sums.change, Measured) and sums.change.value == pytest.approx(0.425)
    assert (sums.word, sums.allowed, sums.change_unit) == ("worse", 0.05, "points")


def test_the_other_way_round_nothing_regressed() -> None:
    found = rows(a_is_broken=True)
    assert found["arithmetic"].word == "better"
    assert not any(row.regression for row in found.values())


def test_a_report_against_itself_is_nowhere_worse() -> None:
    given = sample_behaviour()
    one = replace(given, slices=tuple(replace(each, failures=Failures(9, 1, 2, 3)) for each in given.slices))
    found = difference(one, one)
    assert same_items(one, one) and not same_items(one, replace(one, seed=2))
    assert not any(each.failures for each in found.slices)  # those are of B beside its own reference
    for row in quality_rows(found, slice_lines(QualityFloor(), found)):
        assert row.word in ("same", "unclear") and not row.regression


def test_a_slice_that_one_of_them_could_not_measure_is_unclear_with_its_reason() -> None:
    found = difference(sample_behaviour(), sample_behaviour())
    (row,) = (row for row in quality_rows(found, ()) if row.name == "bfcl/irrelevance")
    assert row.word == "unclear" and row.why.startswith("A: the reference cannot do this")


def test_how_far_b_stands_from_a_is_judged_by_what_is_allowed() -> None:
    """With A as the reference a divergence points nowhere: only a limit makes it worse."""
    found = sample_behaviour()
    judged = {row.name: row for row in quality_rows(found, slice_lines(QualityFloor(), found)) if "KL" in row.metric}
    assert (judged["text/en"].word, judged["text/digits"].word) == ("same", "worse")
    without = with_gates(QualityFloor(), ["text/*:off"])
    open_ = {row.name: row for row in quality_rows(found, slice_lines(without, found)) if row.metric == "mean KL"}
    assert (open_["text/digits"].word, open_["text/digits"].regression) == ("unclear", False)
