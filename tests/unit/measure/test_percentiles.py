from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.measure.statistics import median_reading, percentile, percentile_reading


@given(
    st.lists(st.floats(-1e6, 1e6, allow_nan=False, width=32), min_size=1, max_size=200),
    st.sampled_from([0, 5, 50, 95, 99, 100]),
)
def test_percentiles_are_numpys(samples: list[float], percent: int) -> None:
    assert percentile(samples, percent) == pytest.approx(float(np.percentile(samples, percent)), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("percent", "needed"), [(50, 1), (95, 20), (99, 100)])
def test_a_percentile_needs_its_samples(percent: int, needed: int) -> None:
    reading = percentile_reading([1.0] * needed, percent, how="x")
    assert isinstance(reading, Measured)
    assert reading.n == needed
    missing = percentile_reading([1.0] * (needed - 1), percent, how="x")
    assert missing == Unmeasured(f"p{percent} needs at least {needed} samples, there are {needed - 1}")


def test_the_spread_is_the_least_and_the_most() -> None:
    reading = percentile_reading([float(n) for n in range(40)], 95, how="steps")
    assert isinstance(reading, Measured)
    assert (reading.low, reading.high) == (0.0, 39.0)
    assert reading.value == pytest.approx(37.05)
    assert "p95 of 40" in reading.how
    assert "min..max" in reading.how


def test_the_median_of_nothing_says_why() -> None:
    assert median_reading([], how="x", nothing="nothing ran") == Unmeasured("nothing ran")
    reading = median_reading([3.0, 1.0, 2.0], how="x", nothing="")
    assert isinstance(reading, Measured)
    assert (reading.value, reading.low, reading.high, reading.n) == (2.0, 1.0, 3.0, 3)
