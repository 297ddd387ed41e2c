"""Exchange rates: lost quality is accepted only for so much gain."""

from __future__ import annotations

from collections.abc import Iterator

from edgeshrink.core.behaviour import Behaviour, Metric
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.gates import ExchangeRate
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.verdict import Outcome, VerdictLine
from edgeshrink.judging.gains import Gains
from edgeshrink.judging.gate_lookup import fits
from edgeshrink.judging.limits import Bounds, amount, between, lost

_NO_BASELINE = Unmeasured("there is no baseline to gain over: give one's report")


def exchange_lines(
    floor: QualityFloor, behaviour: Behaviour | Unmeasured, gains: Gains | None
) -> tuple[VerdictLine, ...]:
    """One line a rate: PASS where even the least gain pays for the most that can have been lost.

    Nothing lost has nothing to be paid for.
    """
    return tuple(_line(rate, behaviour, gains) for rate in floor.exchange)


def exchange_undecided(floor: QualityFloor, behaviour: Behaviour, gains: Gains | None) -> frozenset[str]:
    """Slices whose intervals keep a rate open that has a gain to be judged by."""
    found: set[str] = set()
    for rate in floor.exchange:
        gain = _NO_BASELINE if gains is None else gains.of(rate.gain)
        if isinstance(gain, Measured):
            for name, metric in _lost(rate, behaviour):
                if metric.bounds is not None and _outcome(rate, gain, metric.bounds) == "UNKNOWN":
                    found.add(name)
    return frozenset(found)


def _line(rate: ExchangeRate, behaviour: Behaviour | Unmeasured, gains: Gains | None) -> VerdictLine:
    name = f"{rate.gain} for what {'any slice' if rate.slices == '*' else rate.slices} lost"

    def unknown(why: Unmeasured, limit: float = 0.0) -> VerdictLine:
        return VerdictLine(name, "%", ">=", limit, why, None, "UNKNOWN", why.reason)

    if isinstance(behaviour, Unmeasured):
        return unknown(behaviour)
    losses = list(_lost(rate, behaviour))
    if not losses:
        return unknown(Unmeasured(f"no slice of shares that {rate.slices} names was measured"))
    worst, metric = max(losses, key=lambda pair: _value(pair[1].loss))
    loss = _value(metric.loss)
    limit = _price(rate, loss)
    gain = _NO_BASELINE if gains is None else gains.of(rate.gain)
    if isinstance(gain, Unmeasured):
        return unknown(gain, limit)
    bounds = _bounds_of_worst([metric for _, metric in losses])
    price = f"{rate.percent_min_improvement:g} % wanted for each point"
    assert gains is not None
    said = f"{rate.gain} {gain.value:.3g} % better than {gains.baseline}'s; {worst} {lost(metric, loss)}"
    if bounds is None:
        return VerdictLine(name, "%", ">=", limit, gain, None, "UNKNOWN", f"{said}: a slice has no interval")
    outcome = _outcome(rate, gain, bounds)
    open_ = ": noise could explain either outcome" if outcome == "UNKNOWN" else ""
    sure = f"the worst of {len(losses)}: {between(bounds, 'share')} at {100 * behaviour.confidence.each:.4g} %"
    why = f"{said} ({sure}), {price}, so {amount(limit, '%')} in all{open_}"
    return VerdictLine(name, "%", ">=", limit, gain, None, outcome, why)


def _outcome(rate: ExchangeRate, gain: Measured, bounds: Bounds) -> Outcome:
    least, most = (gain.value if end is None else end for end in (gain.low, gain.high))
    low, high = bounds
    if high <= 0 or least >= _price(rate, high):
        return "PASS"
    return "FAIL" if low > 0 and most < _price(rate, low) else "UNKNOWN"


def _price(rate: ExchangeRate, loss: float) -> float:
    """Percent that must be gained for `loss`, a share; as many digits as a person reads."""
    return float(f"{rate.percent_min_improvement * 100 * max(loss, 0.0):.4g}")


def _bounds_of_worst(metrics: list[Metric]) -> Bounds | None:
    """Bounds of the largest loss: all intervals hold together, so it lies between their largest ends."""
    bounds = [metric.bounds for metric in metrics if metric.bounds is not None]
    if len(bounds) < len(metrics):
        return None
    return max(low for low, _ in bounds), max(high for _, high in bounds)


def _lost(rate: ExchangeRate, behaviour: Behaviour) -> Iterator[tuple[str, Metric]]:
    """First metrics that are shares, of slices that the rate names."""
    for one in behaviour.slices:
        metric = one.metric()
        if metric and metric.unit == "share" and fits(one.name, rate.slices) and isinstance(metric.loss, Measured):
            yield one.name, metric


def _value(reading: Reading) -> float:
    assert isinstance(reading, Measured)
    return reading.value
