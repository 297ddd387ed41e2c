"""One metric of a slice from the values of its items: both models' figures and the paired loss, with intervals."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from edgeshrink.core.behaviour import Metric
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.evaluate.paired import Interval, around, calibration_errors, mean_interval, tango, wilson
from edgeshrink.evaluate.quantiles import z_of
from edgeshrink.evaluate.slices.interface import MetricFacts
from edgeshrink.evaluate.statistics import Doubles

SHOWN = 0.95
"""The confidence of every reading's interval."""
CLEAR_OF_CHANCE = 0.1
"""How far above guessing the reference's interval must begin."""
NO_ITEMS = Unmeasured("no item speaks for it")
A_DISTANCE = Unmeasured("a distance to the reference")
_FEWEST_FOR_CALIBRATION = 30


def figures(facts: MetricFacts, reference: Doubles, candidate: Doubles, confidence: float) -> Metric:
    """Of paired values, one an item; of pairs (items, 2) for a "calibration error". `bounds` are at `confidence`."""
    if not len(reference):
        return _without_value(facts, NO_ITEMS)
    if not (np.isfinite(reference).all() and np.isfinite(candidate).all()):
        bad = int((~np.isfinite(reference) | ~np.isfinite(candidate)).any(axis=tuple(range(1, reference.ndim))).sum())
        return _without_value(facts, Unmeasured(f"{bad} of {len(reference)} items have no finite value"))
    if facts.kind == "calibration error":
        return _calibration(facts, reference, candidate, confidence)
    if facts.kind == "share" and _only_0_and_1(reference) and _only_0_and_1(candidate):
        return _share(facts, reference, candidate, confidence)
    return _mean(facts, reference, candidate, confidence)


def cannot_do(metric: Metric, chance: float | None) -> Unmeasured | None:
    """Why nothing is claimed where the reference, by the slice's first metric, is not clear of guessing."""
    reading = metric.reference
    if chance is None or not isinstance(reading, Measured):
        return None
    low, high = _ends(reading)
    if low > chance + CLEAR_OF_CHANCE if metric.better == "higher" else high < chance - CLEAR_OF_CHANCE:
        return None
    better = reading.value - chance if metric.better == "higher" else chance - reading.value
    told = "the reference cannot do this" if better <= CLEAR_OF_CHANCE else "too few items show that the reference can"
    return Unmeasured(
        f"{told}: {metric.name} {reading.value:.3g} on {reading.n} items"
        f" (95 % interval {low:.3g} to {high:.3g}), guessing gives {chance:.3g}"
    )


def nothing_claimed(metric: Metric, why: Unmeasured) -> Metric:
    """The reference's own figure alone."""
    return replace(metric, candidate=why, loss=why, bounds=None)


def _ends(reading: Measured) -> Interval:
    """Its interval; a figure without one could be anything."""
    low, high = reading.low, reading.high
    return (-math.inf if low is None else low), (math.inf if high is None else high)


def _without_value(facts: MetricFacts, why: Unmeasured) -> Metric:
    return Metric(facts.name, facts.unit, facts.better, why, why, why)


def _only_0_and_1(values: Doubles) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def _share(facts: MetricFacts, reference: Doubles, candidate: Doubles, confidence: float) -> Metric:
    n = len(reference)

    def share(values: Doubles, sure: float) -> Reading:
        hits = int(values.sum())
        low, high = wilson(hits, n, sure)
        return Measured(hits / n, n=n, low=low, high=high, how="95 % Wilson interval")

    own = share(candidate, SHOWN)
    if facts.distance:
        return Metric(
            facts.name, facts.unit, facts.better, A_DISTANCE, own, own, wilson(int(candidate.sum()), n, confidence)
        )
    first, second = (reference, candidate) if facts.better == "higher" else (candidate, reference)
    lost, won = int((first > second).sum()), int((first < second).sum())
    low, high = tango(lost, won, n, SHOWN)
    loss = Measured((lost - won) / n, n=n, low=low, high=high, how="95 % score interval of paired shares (Tango)")
    bounds = tango(lost, won, n, confidence)
    return Metric(facts.name, facts.unit, facts.better, share(reference, SHOWN), own, loss, bounds)


def _mean(facts: MetricFacts, reference: Doubles, candidate: Doubles, confidence: float) -> Metric:
    lost = candidate if facts.distance else (reference - candidate) * (1.0 if facts.better == "higher" else -1.0)
    scale = 1.0 if facts.unit == "share" else float(np.ptp(np.concatenate([reference, candidate])))
    return Metric(
        facts.name,
        facts.unit,
        facts.better,
        A_DISTANCE if facts.distance else _reading(reference, scale),
        _reading(candidate, scale),
        _reading(lost, scale),
        _interval(lost, confidence, scale),
    )


def _reading(values: Doubles, scale: float) -> Measured:
    interval, value, n = _interval(values, SHOWN, scale), float(values.mean()), len(values)
    if interval is None:
        return Measured(value, n=n, how="one item, no interval")
    return Measured(value, n=n, low=interval[0], high=interval[1], how="95 % interval, Student's t over items")


def _interval(values: Doubles, confidence: float, scale: float) -> Interval | None:
    """That items are all alike says no more than that few differ: it leaves as much open, in units of `scale`, as
    Tango's interval does where no item turned."""
    interval = mean_interval(values, confidence)
    if interval is None or np.ptp(values) > 0:
        return interval
    square = z_of(confidence) ** 2
    reach = scale * square / (len(values) + square)
    return interval[0] - reach, interval[1] + reach


def _calibration(facts: MetricFacts, reference: Doubles, candidate: Doubles, confidence: float) -> Metric:
    n = len(reference)
    if n < _FEWEST_FOR_CALIBRATION:
        few = Unmeasured(f"{n} answers, a calibration error needs at least {_FEWEST_FOR_CALIBRATION}")
        return _without_value(facts, few)
    errors, spreads = calibration_errors((reference[:, 0], reference[:, 1]), (candidate[:, 0], candidate[:, 1]))

    def reading(value: float, spread: float, within: Interval) -> Measured:
        low, high = around(value, spread, SHOWN, within)
        return Measured(value, n=n, low=low, high=high, how="95 % interval, bootstrap over answers")

    loss = errors[1] - errors[0]
    return Metric(
        facts.name,
        facts.unit,
        "lower",
        reading(errors[0], spreads[0], (0.0, 1.0)),
        reading(errors[1], spreads[1], (0.0, 1.0)),
        reading(loss, spreads[2], (-1.0, 1.0)),
        around(loss, spreads[2], confidence, (-1.0, 1.0)),
    )
