"""Two suites' results against the same or another reference, as one: how much worse the second is than the first."""

from __future__ import annotations

import math
from dataclasses import replace

from edgeshrink.core.behaviour import Behaviour, Metric, Slice
from edgeshrink.core.reading import Measured, Reading, Unmeasured

_HOW = "difference of two losses, each with its own interval; low/high combine both (Zou and Donner 2008)"


def difference(a: Behaviour, b: Behaviour) -> Behaviour:
    """`b` with A's models as its reference: the loss of each metric is B's loss less A's.

    The two are taken as independent. Where both were asked the same items that is cautious: what the items have in
    common makes the true interval narrower. Slices that only one of them has are left out.
    """
    theirs = {one.name: one for one in a.slices}
    slices = tuple(_slice(theirs[one.name], one) for one in b.slices if one.name in theirs)
    looser = min(a.confidence, b.confidence, key=lambda confidence: confidence.each)
    return replace(b, reference="A", slices=slices, confidence=looser, together=(), notes=())


def same_items(a: Behaviour, b: Behaviour) -> bool:
    """Whether both were asked the same: then only their answers differ."""
    return (a.suite, a.seed, a.looks, a.items, a.reference) == (b.suite, b.seed, b.looks, b.items, b.reference)


def _slice(a: Slice, b: Slice) -> Slice:
    metrics = tuple(
        _metric(theirs, mine)
        for mine in b.metrics
        if (theirs := a.metric(mine.name)) is not None and theirs.unit == mine.unit
    )
    return replace(b, items=min(a.items, b.items), metrics=metrics, parts=(), worst=(), notes=(), failures=None)


def _metric(a: Metric, b: Metric) -> Metric:
    return replace(b, reference=a.candidate, loss=_loss(a.loss, b.loss), bounds=_apart(a, b))


def _loss(a: Reading, b: Reading) -> Reading:
    for name, reading in (("A", a), ("B", b)):
        if isinstance(reading, Unmeasured):
            return Unmeasured(f"{name}: {reading.reason}")
    assert isinstance(a, Measured) and isinstance(b, Measured)
    value, n = b.value - a.value, min(a.n, b.n)
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return Measured(value, n, how="difference of two losses")
    low, high = combined(a.value, (a.low, a.high), b.value, (b.low, b.high))
    return Measured(value, n, low, high, _HOW)


def _apart(a: Metric, b: Metric) -> tuple[float, float] | None:
    if a.bounds is None or b.bounds is None or isinstance(a.loss, Unmeasured) or isinstance(b.loss, Unmeasured):
        return None
    return combined(a.loss.value, a.bounds, b.loss.value, b.bounds)


def combined(a: float, of_a: tuple[float, float], b: float, of_b: tuple[float, float]) -> tuple[float, float]:
    """The interval of b - a from those of both (method of variance estimates recovery, Zou and Donner 2008)."""
    low = math.hypot(b - of_b[0], of_a[1] - a)
    high = math.hypot(of_b[1] - b, a - of_a[0])
    return b - a - low, b - a + high
