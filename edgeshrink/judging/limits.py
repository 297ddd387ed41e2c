"""One figure of a slice against one limit, by its interval: a loss that noise could explain is not decided."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from edgeshrink.core.behaviour import Metric
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.verdict import Outcome

Bounds = tuple[float, float]
_Z95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Figure:
    """What a limit looks at. `bounds`: its interval at the confidence of gates; None where there is none.

    `said` tells the figure in words: "lost 4.2 points". `own`: it is the candidate's own figure, not a loss.
    """

    reading: Reading
    bounds: Bounds | None
    unit: str
    comparison: Literal["<=", ">="]
    limit: float
    said: str
    own: bool = False

    @property
    def outcome(self) -> Outcome:
        if isinstance(self.reading, Unmeasured) or self.bounds is None:
            return "UNKNOWN"
        return decided(self.bounds, self.comparison, self.limit)

    @property
    def badness(self) -> float:
        """How far beyond its limit: larger is worse, whichever way the figure points."""
        assert isinstance(self.reading, Measured)
        beyond = self.reading.value - self.limit
        return beyond if self.comparison == "<=" else -beyond


def decided(bounds: Bounds, comparison: Literal["<=", ">="], limit: float) -> Outcome:
    """PASS or FAIL where the whole interval lies on one side of `limit`."""
    low, high = bounds if comparison == "<=" else (-bounds[1], -bounds[0])
    bound = limit if comparison == "<=" else -limit
    if high <= bound:
        return "PASS"
    return "FAIL" if low > bound else "UNKNOWN"


def figure(metric: Metric, field: str, limit: float, each: float) -> Figure:
    """`field` is one of SliceGate's limits; `each` is the confidence that one interval must have."""
    if field == "threshold":
        return _floor(metric, limit, each)
    loss, bounds = metric.loss, metric.bounds
    if field == "max_degradation" or isinstance(loss, Unmeasured):
        unit = "%" if field == "percent_max_degradation" else metric.unit
        said = "" if isinstance(loss, Unmeasured) else lost(metric, loss.value)
        return Figure(loss, bounds, unit, "<=", limit, said)
    reference = metric.reference
    if isinstance(reference, Unmeasured):
        why = "a distance to the reference is no percentage of it: use max-degradation"
        return Figure(Unmeasured(why), None, "%", "<=", limit, "")
    if reference.value == 0:
        return Figure(Unmeasured("the reference's own figure is 0: it has no percentage"), None, "%", "<=", limit, "")
    scale = 100 / abs(reference.value)
    low, high = (None if end is None else end * scale for end in (loss.low, loss.high))
    reading = Measured(loss.value * scale, loss.n, low, high, loss.how)
    scaled = None if bounds is None else (bounds[0] * scale, bounds[1] * scale)
    word = "lost" if reading.value >= 0 else "gained"
    said = f"{word} {amount(abs(reading.value), '%')} of the reference's own figure"
    return Figure(reading, scaled, "%", "<=", limit, said)


def _floor(metric: Metric, limit: float, each: float) -> Figure:
    comparison: Literal["<=", ">="] = ">=" if metric.better == "higher" else "<="
    candidate = metric.candidate
    if isinstance(candidate, Unmeasured):
        return Figure(candidate, None, metric.unit, comparison, limit, "", own=True)
    bounds = widened(candidate, metric.unit, each)
    return Figure(
        candidate, bounds, metric.unit, comparison, limit, f"has {level(candidate.value, metric.unit)}", own=True
    )


def widened(reading: Measured, unit: str, each: float) -> Bounds | None:
    """The interval of a model's own figure at the confidence `each`, of one that was given at 95 %.

    Of a share over n items: Wilson's (1927). Of anything else, a share with another interval (a calibration error, or
    positions that lie side by side) too, each side grows as the normal distribution's does.
    """
    z = NormalDist().inv_cdf(0.5 + each / 2)
    share = unit == "share" and 0 <= reading.value <= 1
    if share and reading.n > 1 and _is_close(reading, _wilson(reading.value, reading.n, _Z95)):
        return _wilson(reading.value, reading.n, z)
    if reading.low is None or reading.high is None:
        return None
    wider = max(1.0, z / _Z95)
    low = reading.value - wider * (reading.value - reading.low)
    high = reading.value + wider * (reading.high - reading.value)
    return (max(0.0, low), min(1.0, high)) if share else (low, high)


def _wilson(share: float, n: int, z: float) -> Bounds:
    squared = z * z
    center = (share + squared / (2 * n)) / (1 + squared / n)
    reach = z / (1 + squared / n) * math.sqrt(share * (1 - share) / n + squared / (4 * n * n))
    return max(0.0, min(share, center - reach)), min(1.0, max(share, center + reach))


def _is_close(reading: Measured, bounds: Bounds) -> bool:
    """Whether `bounds` are the interval that was given; of a reading without one, nothing else is known."""
    given = (reading.low, reading.high)
    return all(end is None or math.isclose(end, at, abs_tol=1e-6) for end, at in zip(given, bounds, strict=True))


def lost(metric: Metric, loss: float) -> str:
    """`lost 4.2 points`, `gained 0.3 points`; of what is better lower: `rose by`, `fell by`; of a distance: `is`."""
    candidate = metric.candidate
    if isinstance(metric.reference, Unmeasured) and isinstance(candidate, Measured) and candidate.value == loss:
        return f"{metric.name} is {amount(loss, metric.unit)}"
    words = ("lost", "gained") if metric.better == "higher" else (f"{metric.name} rose by", f"{metric.name} fell by")
    return f"{words[0] if loss >= 0 else words[1]} {amount(abs(loss), metric.unit)}"


def amount(value: float, unit: str) -> str:
    """A difference: `4.2 points` of a share, `0.042 nats`."""
    bare = _short(value, unit)
    return bare if not unit else f"{bare} {'points' if unit == 'share' else unit}"


def level(value: float, unit: str) -> str:
    """A figure itself: `86.8 %` of a share."""
    return f"{100 * value:.1f} %" if unit == "share" else amount(value, unit)


def limit_text(limit: float, unit: str) -> str:
    """A limit was written by a person: it has the digits that were written."""
    return amount(limit, unit) if unit != "share" else f"{_written(limit)} points"


def level_text(limit: float, unit: str) -> str:
    return amount(limit, unit) if unit != "share" else f"{_written(limit)} %"


def _written(share: float) -> str:
    return f"{100 * share:.10g}"


def open_because(judged: Figure) -> str:
    """Why an interval that holds the limit decides nothing."""
    assert isinstance(judged.reading, Measured)
    inside = decided((judged.reading.value, judged.reading.value), judged.comparison, judged.limit) == "PASS"
    worse = "that it is worse" if judged.own else "more"
    return f": noise could still hide {worse}" if inside else ": noise could explain it"


def between(bounds: Bounds, unit: str) -> str:
    """`1.9 to 6.5`, in the unit that `amount` spells."""
    return f"{_short(bounds[0], unit)} to {_short(bounds[1], unit)}"


def _short(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return "anything" if math.isinf(value) else "no number"
    if unit == "share":
        text = f"{100 * value:.1f}"
        return text if float(text) else text.lstrip("-")
    return f"{value:.3g}"
