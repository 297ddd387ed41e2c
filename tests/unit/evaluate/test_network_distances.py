"""Distances of one sample's outputs, and what many of them come to."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.evaluate.network_distances import distances, mean_reading, readings


def test_the_worst_output_counts_and_zero_outputs_are_no_division_by_zero() -> None:
    one = {"a": np.array([[3.0, 4.0]]), "b": np.array([[1.0, 0.0]]), "n": np.array([7])}
    two = {"a": np.array([[3.0, 4.0]]), "b": np.array([[0.0, 1.0]]), "n": np.array([8])}
    found = distances(one, two)
    assert found.cosine == 0.0 and found.difference == {"a": 0.0, "b": 1.0} and found.top is None
    zeros = {"a": np.zeros((1, 3))}
    assert distances(zeros, zeros).cosine == 1.0
    assert distances(zeros, {"a": np.ones((1, 3))}).cosine == 0.0
    figures = readings([distances(zeros, zeros)] * 3, in_order=False)
    assert isinstance(figures.sqnr_db, Unmeasured)
    assert isinstance(readings([], in_order=False).cosine_mean, Unmeasured)


def test_a_share_has_a_wilson_interval_and_scores_a_bootstrap_one() -> None:
    shared = mean_reading([1.0] * 8 + [0.0] * 2, in_order=False)
    assert isinstance(shared, Measured) and "Wilson" in shared.how and shared.low == pytest.approx(0.4902, abs=1e-3)
    scored = mean_reading(np.linspace(0.1, 0.9, 50), in_order=False)
    assert isinstance(scored, Measured) and scored.low is not None and scored.high is not None
    error = np.std(np.linspace(0.1, 0.9, 50)) / math.sqrt(50)
    assert scored.high - scored.low == pytest.approx(2 * 1.96 * error, rel=0.15)
    assert isinstance(mean_reading([0.5, math.nan], in_order=False), Unmeasured)
