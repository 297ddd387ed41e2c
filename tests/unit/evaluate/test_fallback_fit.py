"""A fallback keeps what it promises: shown on answers whose true risk is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeshrink.core.fallback import FallbackFit
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.evaluate import fallback
from edgeshrink.evaluate.fallback import fit_fallback
from edgeshrink.evaluate.probes import TEMPERATURES

Answers = tuple[NDArray[np.bool_], NDArray[np.float32]]


def answers(random: np.random.Generator, n: int, *, sharper: float = 1.0) -> Answers:
    """Answers of a model that chooses between two tokens, and is right as often as it says at temperature `sharper`.

    The odds of an answer are exp(gap / sharper) to 1, `gap` drawn from 0 to 8.
    """
    gap = random.uniform(0.0, 8.0, n)
    right = random.random(n) < 1.0 / (1.0 + np.exp(-gap / sharper))
    confidence = -np.log1p(np.exp(-gap[:, None] / np.array(TEMPERATURES)))
    return right, confidence.astype(np.float32)


def true_risk(threshold: float, temperature: float) -> float:
    """Of `answers`: the mean chance of being wrong, 1 / (1 + exp(gap)), over the gaps that are kept, integrated."""
    first = 0.0 if threshold <= 0.5 else temperature * math.log(threshold / max(1.0 - threshold, 1e-9))
    return (math.log1p(math.exp(-first)) - math.log1p(math.exp(-8.0))) / (8.0 - first)


def fitted(given: Answers, **options: Any) -> FallbackFit:
    found = fit_fallback(*given, seed=7, **options)
    assert isinstance(found, FallbackFit)
    return found


def test_the_true_risk_is_above_the_stated_one_no_more_often_than_promised() -> None:
    broken = found = 0
    for draw in range(1000):
        fit = fit_fallback(*answers(np.random.default_rng(draw), 1500), seed=draw, risk=0.05, guarantee=0.9)
        if isinstance(fit, FallbackFit):
            found += 1
            broken += true_risk(fit.fallback.threshold, fit.fallback.temperature) > 0.05
    assert found > 900
    assert broken <= 100


def test_the_guarantee_holds_where_a_threshold_is_barely_possible() -> None:
    """Every answer is wrong with just more than the stated risk: whatever threshold is found is a broken promise."""
    broken = 0
    for draw in range(1000):
        random = np.random.default_rng(draw)
        right, confidence = answers(random, 1500)
        right = random.random(1500) > 0.051
        broken += isinstance(fit_fallback(right, confidence, seed=draw, risk=0.05, guarantee=0.9), FallbackFit)
    assert broken <= 100


@pytest.mark.parametrize("sharper", [0.5, 1.0, 2.0, 4.0])
def test_the_temperature_is_the_one_at_which_confidence_tells_the_truth(sharper: float) -> None:
    fit = fitted(answers(np.random.default_rng(1), 20_000, sharper=sharper), risk=0.3)
    assert fit.fallback.temperature == pytest.approx(sharper, rel=0.2)


def test_what_it_says_of_itself_is_counted_on_the_half_that_fitted_nothing() -> None:
    right, confidence = answers(np.random.default_rng(2), 4000)
    fit = fitted((right, confidence))
    assert (fit.fitted_on, fit.checked_on) == (2000, 2000)
    assert isinstance(fit.checked_risk, Measured) and isinstance(fit.checked_coverage, Measured)
    assert fit.fallback.risk == fit.checked_risk.value
    assert fit.fallback.coverage == fit.checked_coverage.value == pytest.approx(fit.checked_risk.n / 2000)
    assert fit.fallback.risk == pytest.approx(true_risk(fit.fallback.threshold, fit.fallback.temperature), abs=0.02)
    assert fit.kept


def test_the_curve_rises_and_holds_the_threshold() -> None:
    curve = (fit := fitted(answers(np.random.default_rng(3), 4000))).fallback.curve
    assert 2 <= len(curve) <= 20
    assert [point.threshold for point in curve] == sorted({point.threshold for point in curve})
    coverages = [point.coverage for point in curve]
    assert coverages == sorted(coverages, reverse=True) and curve[0].coverage == 1.0
    assert curve[-1].risk < curve[0].risk
    chosen = next(point for point in curve if point.threshold == fit.fallback.threshold)
    assert (chosen.risk, chosen.coverage) == (fit.fallback.risk, fit.fallback.coverage)


def test_a_higher_guarantee_and_a_lower_risk_keep_less() -> None:
    given = answers(np.random.default_rng(4), 6000)
    coverages = [
        fitted(given, risk=risk, guarantee=guarantee).fallback.coverage
        for risk, guarantee in ((0.1, 0.9), (0.05, 0.9), (0.03, 0.9), (0.03, 0.9999))
    ]
    assert coverages == sorted(coverages, reverse=True) and coverages[0] > coverages[-1]


@pytest.mark.parametrize(("wrong", "kept"), [(0, 117), (9, 200), (40, 400), (3, 5)])
def test_the_bound_is_that_of_clopper_and_pearson(wrong: int, kept: int) -> None:
    """By the binomial distribution itself: that many wrong or fewer have just the tail's probability."""
    bound = fallback._most_wrong(wrong, kept, 0.0025)
    tail = sum(math.comb(kept, k) * bound**k * (1 - bound) ** (kept - k) for k in range(wrong + 1))
    assert tail == pytest.approx(0.0025, rel=1e-6)
    assert fallback._holds(wrong, kept, bound * 1.001, 0.0025)
    assert not fallback._holds(wrong, kept, bound * 0.999, 0.0025)


def test_where_all_kept_are_wrong_anything_may_be() -> None:
    assert fallback._most_wrong(7, 7, 0.01) == 1.0
    assert not fallback._holds(7, 7, 0.99, 0.01)


def test_answers_that_are_all_right_are_all_kept() -> None:
    _, confidence = answers(np.random.default_rng(5), 800)
    fit = fitted((np.ones(800, np.bool_), confidence))
    assert (fit.fallback.threshold, fit.fallback.coverage, fit.fallback.risk) == (0.0, 1.0, 0.0)


def test_too_few_answers_promise_nothing_and_say_how_many_it_takes() -> None:
    right, confidence = answers(np.random.default_rng(6), 157)
    for n in (0, 1, 157):
        found = fit_fallback(right[:n], confidence[:n], seed=7)
        assert isinstance(found, Unmeasured) and f"{n} answers" in found.reason and "59 are needed" in found.reason


def test_few_answers_are_enough_where_all_are_right() -> None:
    _, confidence = answers(np.random.default_rng(6), 160)
    fit = fitted((np.ones(160, np.bool_), confidence))
    assert (fit.fallback.threshold, fit.fitted_on, fit.checked_on) == (0.0, 80, 80)


def test_only_thresholds_that_could_be_passed_share_the_error() -> None:
    """Without a mistake, 59 answers promise 5 % with 95 %, 90 with 99 %."""
    assert fallback._tested([1500, 800, 100, 40], 0.05, 0.95) == 3
    assert fallback._tested([75, 60, 50], 0.05, 0.95) == 1
    assert fallback._tested([95, 94, 93, 92, 91], 0.05, 0.95) == 5
    assert fallback._tested([10], 0.05, 0.95) == 1


def test_confidence_that_says_nothing_promises_nothing() -> None:
    right = np.random.default_rng(8).random(2000) < 0.8
    found = fit_fallback(right, np.zeros((2000, len(TEMPERATURES)), np.float32), seed=7)
    assert isinstance(found, Unmeasured) and "no threshold" in found.reason


def test_a_confidence_that_is_no_number_is_handed_over() -> None:
    right, confidence = answers(np.random.default_rng(9), 4000)
    right[:200], confidence[:200] = False, np.nan
    fit = fitted((right, confidence), risk=0.1)
    assert fit.fallback.threshold > 0 and fit.kept


def test_the_order_of_models_draws_is_all_that_matters() -> None:
    given = answers(np.random.default_rng(10), 3000)
    assert fit_fallback(*given, seed=1) == fit_fallback(*given, seed=1)
    assert fit_fallback(*given, seed=1) != fit_fallback(*given, seed=2)
