"""Ratios of rounds side by side."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.measure.device.interleaved import ratio_reading, rows


def test_the_interval_is_that_of_order_statistics() -> None:
    eight = ratio_reading([1.08, 1.01, 1.02, 1.07, 1.03, 1.05, 1.04, 1.06])
    assert isinstance(eight, Measured)
    assert (eight.low, eight.value, eight.high) == (1.01, pytest.approx(1.045), 1.08)
    assert "number 1 and 8 of 8" in eight.how and "95 %" in eight.how
    twenty = ratio_reading([float(value) for value in range(1, 21)])
    assert isinstance(twenty, Measured)
    assert (twenty.low, twenty.high) == (6, 15), "the table of the sign test for n = 20"


@pytest.mark.parametrize("count", [6, 9, 15, 40])
def test_the_interval_holds_the_median_95_times_of_100(count: int) -> None:
    draw = np.random.default_rng(count)
    held = 0
    for _ in range(400):
        found = ratio_reading(draw.lognormal(0, 0.2, count).tolist())
        assert isinstance(found, Measured) and found.low is not None and found.high is not None
        held += found.low <= 1 <= found.high
    assert held / 400 > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 400)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_too_few_rounds_have_no_interval(count: int) -> None:
    found = ratio_reading([1.0, 1.2, 1.1, 1.3, 1.4][:count])
    assert isinstance(found, Measured)
    assert (found.low, found.high) == (None, None)
    assert "a 95 % interval takes 6 rounds" in found.how
    assert isinstance(ratio_reading([]), Unmeasured)


def test_rows_are_figures_that_all_rounds_have_and_ratios_are_within_a_round() -> None:
    a = [{"decode, tok/s": 10.0, "peak RSS, bytes": 6.0}, {"decode, tok/s": 30.0}]
    b = [{"decode, tok/s": 20.0, "peak RSS, bytes": 3.0}, {"decode, tok/s": 40.0}]
    (row,) = rows(a, b)
    name, one, two, ratio = row
    assert name == "decode, tok/s"
    assert isinstance(one, Measured) and isinstance(two, Measured) and isinstance(ratio, Measured)
    assert (one.value, two.value, ratio.value) == (20.0, 30.0, pytest.approx((0.5 + 0.75) / 2))
    assert rows([], []) == ()
