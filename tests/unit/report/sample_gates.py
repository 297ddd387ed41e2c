"""A verdict over a sample behaviour: a gate on every slice, and a line of each other kind that can be asked for."""

from __future__ import annotations

from collections.abc import Iterator

from edgeshrink.core.behaviour import Behaviour, Metric
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.verdict import Outcome, Verdict, VerdictLine


def sample_verdict(behaviour: Behaviour) -> Verdict:
    """5 points of each share, 0.1 nats of each distance; a floor on tools/json, a percentage of arithmetic, the worst
    slice and an exchange rate."""
    lines = (*_slices(behaviour), *_named(behaviour), *_over_all(behaviour))
    outcomes = [line.outcome for line in lines]
    overall: Outcome = "FAIL" if "FAIL" in outcomes else "UNKNOWN" if "UNKNOWN" in outcomes else "PASS"
    return Verdict(overall, lines)


def _slices(behaviour: Behaviour) -> Iterator[VerdictLine]:
    for one in behaviour.slices:
        metric = one.metrics[0]
        if isinstance(metric.loss, Measured):
            limit = 0.1 if metric.unit == "nats" else 0.05
            why = f"{one.name}: {metric.loss.value:.3f} lost, {limit:g} allowed"
            yield _line(f"slice {one.name}", metric, limit, _decided(metric, limit), one.name, why)


def _named(behaviour: Behaviour) -> Iterator[VerdictLine]:
    json = behaviour.slice("tools/json")
    if json is not None and isinstance(json.metrics[0].candidate, Measured):
        figure = json.metrics[0].candidate
        outcome: Outcome = "PASS" if figure.value >= 0.9 else "FAIL"
        why = "tools/json has 99.0 %, at least 90 % wanted"
        name = "slice tools/json, own figure"
        yield VerdictLine(name, "share", ">=", 0.9, figure, None, outcome, why, "tools/json", "right")
    sums = behaviour.slice("arithmetic")
    if sums is not None and isinstance(sums.metrics[0].loss, Measured):
        percent = Measured(100 * sums.metrics[0].loss.value / 0.985, 200)
        failed: Outcome = "FAIL" if percent.value > 10 else "PASS"
        why = "43 percent of the reference's own figure"
        name = "slice arithmetic, percent"
        yield VerdictLine(name, "%", "<=", 10.0, percent, None, failed, why, "arithmetic", "right")
    answers = behaviour.slice("calibration/answers")
    if answers is not None:
        metric = answers.metrics[2]
        yield _line(
            "slice calibration/answers over-confidence",
            metric,
            0.03,
            _decided(metric, 0.03),
            answers.name,
            "over-confidence rose",
        )


def _over_all(behaviour: Behaviour) -> Iterator[VerdictLine]:
    losses = [one.metrics[0].loss for one in behaviour.slices if one.metrics[0].unit == "share"]
    worst = max((loss for loss in losses if isinstance(loss, Measured)), key=lambda loss: loss.value)
    failed: Outcome = "FAIL" if worst.value > 0.1 else "PASS"
    yield VerdictLine("worst slice", "share", "<=", 0.1, worst, None, failed, "the worst of all shares")
    speed = Unmeasured("no baseline was measured")
    yield VerdictLine("exchange decode-tok-s", "%", ">=", 5.0, speed, None, "UNKNOWN", speed.reason)


def _decided(metric: Metric, limit: float) -> Outcome:
    if metric.bounds is None:
        return "UNKNOWN"
    low, high = metric.bounds
    return "PASS" if high <= limit else "FAIL" if low > limit else "UNKNOWN"


def _line(name: str, metric: Metric, limit: float, outcome: Outcome, one: str, why: str) -> VerdictLine:
    return VerdictLine(name, metric.unit, "<=", limit, metric.loss, None, outcome, why, one, metric.name)
