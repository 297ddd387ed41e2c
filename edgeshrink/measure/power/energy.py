"""Energy of a token: power integrated over each decode, less what the device draws at rest, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from edgeshrink.core.power import PowerRecord
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.measure.power.curve import Curve, thinned
from edgeshrink.measure.power.interface import PowerReader, RawSample, SamplingPlan
from edgeshrink.measure.statistics import median_reading, percentile

LEAST_READINGS = 10
"""Readings that can differ which a decode needs."""
LEAST_AT_REST = 3
"""The same for the rest: power stands still there, and the interval says what few readings leave open."""
_SHORTEST_EXACT_S = 0.02
"""A counter that is read at both ends of a decode needs none between, only so many of its own steps."""
_MOST_W = 10_000.0
_LEAST_SHARE = 1e-3
"""Of the power at rest: no sensor here resolves a smaller difference, and sums of floats leave dust below it."""
_GAP_SHARE = 0.1
_TIMELINE = 400
_Z95 = 1.96
_T95 = {2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26}
"""Student's t of the 95 % interval by degrees of freedom; beyond, 1.96 + 2.6 / them, right to a percent."""


@dataclass(frozen=True, slots=True)
class _Window:
    """One decode: `done` tokens, joules with the power at rest in them, and by how many sampling may have erred."""

    began: float
    ended: float
    done: int
    joules: float
    doubt_j: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    def per_unit_mj(self, joules: float) -> float:
        return 1e3 * joules / self.done


def no_power(reason: str) -> tuple[PowerRecord, Reading]:
    """What stands where there is no source."""
    nothing = Unmeasured(reason)
    return PowerRecord("", "", "unavailable", reason, None, nothing, nothing, nothing), nothing


def record_power(
    reader: PowerReader,
    plan: SamplingPlan,
    samples: Sequence[RawSample],
    idle: tuple[float, float] | None,
    decodes: Sequence[tuple[float, float, int]],
    *,
    unit: str = "token",
) -> tuple[PowerRecord, Reading]:
    """One source over one session, and the energy of a `unit` above rest, in millijoules.

    `decodes` are (from, to, tokens) and `idle` is (from, to), on the clock of the samples. The energy is the median
    over the decodes; its low and high are the lowest and highest of them, widened by what sampling leaves open: power
    that changed between two readings, most of all at the ends of a decode, and the standard error of the rest's power.
    Where a decode has too few readings, or there is no rest, the readings are Unmeasured and say so; so is the energy
    above rest where the interval holds 0: a sensor that stands still is no proof of work that costs nothing.
    """
    plan = reader.settled(plan, samples)
    powers = tuple(power for power in reader.watts(plan, samples) if abs(power.watts) <= _MOST_W)
    if len(powers) < 2:
        return _nothing(plan, _no_readings(plan, len(samples)))
    curve = Curve.through(powers, plan.averages)
    windows, reason = _windows(curve, decodes, "decode" if unit == "token" else unit)
    baseline, rest_doubt_w = _baseline(curve, idle)
    stretches = "1 stretch" if len(windows) == 1 else f"{len(windows)} stretches"
    words = f"{stretches}, {1 / curve.period_s:.3g} readings a second"
    gross = _per_unit(windows, 0.0, 0.0, f"{words}; power at rest is in it", reason)
    net: Reading
    if isinstance(baseline, Unmeasured):
        net = Unmeasured(reason if not windows else f"power at rest is not known: {baseline.reason}")
    else:
        net = _per_unit(windows, baseline.value, rest_doubt_w, f"{words}, less {baseline.value:.3g} W at rest", reason)
        if isinstance(net, Measured) and not _shows_more(net, windows, baseline.value):
            net = Unmeasured(
                f"no difference from rest that this sensor can show: {baseline.value:.3g} W at rest, "
                f"{_median_w(windows):.3g} W while {'decoding' if unit == 'token' else 'running'}"
            )
    record = PowerRecord(
        source=plan.source,
        scope=plan.scope,
        origin=plan.origin,
        why="; ".join(part for part in (plan.why, *_doubts(curve, len(samples), len(powers))) if part),
        rate_hz=1 / curve.period_s,
        baseline_w=baseline,
        decode_w=median_reading([w.joules / w.seconds for w in windows], how=words, nothing=reason),
        gross_mj_per_token=gross,
        timeline=thinned(powers, _TIMELINE),
        idle=idle,
        decodes=tuple((window.began, window.ended) for window in windows),
    )
    return record, net


def _shows_more(net: Measured, windows: Sequence[_Window], rest_w: float) -> bool:
    """Whether the readings show that work took more than rest."""
    above_w = _median_w(windows) - rest_w
    return net.low is not None and net.low > 0 and above_w > _LEAST_SHARE * abs(rest_w)


def _median_w(windows: Sequence[_Window]) -> float:
    return percentile([window.joules / window.seconds for window in windows], 50)


def _nothing(plan: SamplingPlan, reason: str) -> tuple[PowerRecord, Reading]:
    nothing = Unmeasured(reason)
    return PowerRecord(plan.source, plan.scope, "unavailable", reason, None, nothing, nothing, nothing), nothing


def _no_readings(plan: SamplingPlan, taken: int) -> str:
    got = f"none of {taken} readings was usable" if taken else "gave no reading"
    return "; ".join((f"{plan.source}: {got}", *plan.notes, *([plan.why] if plan.origin == "inferred" else [])))


def _doubts(curve: Curve, taken: int, used: int) -> list[str]:
    """What a reader of the record must know of the sampling, in words."""
    found = []
    if taken > used:
        found.append(f"{taken - used} of {taken} readings were torn or out of order and left out")
    if curve.period_s > curve.step_s:
        found.append(f"read every {curve.step_s:.2g} s, brought up to date every {curve.period_s:.2g} s")
    return found


def _windows(curve: Curve, decodes: Sequence[tuple[float, float, int]], verb: str) -> tuple[list[_Window], str]:
    """The decodes that have readings enough; and why the others have not."""
    found: list[_Window] = []
    reason = f"there was no {verb}"
    for began, ended, done in decodes:
        if ended <= began or done < 1:
            continue
        lack = _lack(curve, began, ended, verb)
        if lack is None:
            doubt = _sampling_doubt_j(curve, began, ended)
            found.append(_Window(began, ended, done, curve.joules(began, ended), doubt))
        else:
            reason = lack
    return found, reason


def _lack(curve: Curve, began: float, ended: float, verb: str, least: int = LEAST_READINGS) -> str | None:
    """Why a stretch cannot be integrated; None where it can. `verb`: what the device did then."""
    if curve.is_exact(began, ended) and ended - began >= _SHORTEST_EXACT_S:
        return None
    period, seconds = curve.period_s, ended - began
    if curve.count(began, ended) == 0:
        return "no reading fell into it"
    if min(curve.count(began, ended), seconds / period + 1e-6) < least:
        return (
            f"a reading every {period:.2g} s is too few for a stretch of {seconds:.2g} s: "
            f"{verb} for longer, {math.ceil(least * period)} s at least"
        )
    if (gap := curve.longest_gap(began, ended)) > max(3 * period, _GAP_SHARE * seconds):
        return f"readings stopped for {gap:.2g} s of a stretch of {seconds:.2g} s"
    return None


def _sampling_doubt_j(curve: Curve, began: float, ended: float) -> float:
    """Joules by which sampling may have misjudged the stretch.

    At each end: a change of power may lie anywhere between two readings. Within: readings of a moment are a sample of
    what fluctuates; differences of neighbours tell its variance without counting a slow drift. Averages miss nothing.
    """
    if curve.is_exact(began, ended):
        return 0.0
    period = max(curve.period_s, (ended - began) / curve.count(began, ended))
    ends = sum(abs(curve.at_moment(moment + period) - curve.at_moment(moment - period)) for moment in (began, ended))
    if curve.averages:
        return ends * period / 2
    squares = math.fsum((now - before) ** 2 for before, now in pairwise(curve.spread(began, ended)))
    return ends * period / 2 + _Z95 * period * math.sqrt(squares / 2)


def _baseline(curve: Curve, idle: tuple[float, float] | None) -> tuple[Reading, float]:
    """Mean power of the rest in watts, and half the width of its 95 % interval."""
    if idle is None:
        return Unmeasured("nothing was recorded while the device rested"), 0.0
    began, ended = idle
    if ended <= began:
        return Unmeasured("the device was given no rest"), 0.0
    if (lack := _lack(curve, began, ended, "rest", LEAST_AT_REST)) is not None:
        return Unmeasured(lack), 0.0
    watts = curve.joules(began, ended) / (ended - began)
    seen = curve.spread(began, ended)
    apart = max(LEAST_AT_REST, min(len(seen), int((ended - began) / curve.period_s + 1e-6)))
    mean = math.fsum(seen) / max(1, len(seen))
    deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in seen) / max(1, len(seen) - 1))
    doubt = _T95.get(apart - 1, _Z95 + 2.6 / (apart - 1)) * deviation / math.sqrt(apart)
    how = f"mean of {ended - began:.1f} s of rest, low/high: 95 % from {apart} readings"
    return Measured(watts, n=len(seen), low=watts - doubt, high=watts + doubt, how=how), doubt


def _per_unit(windows: Sequence[_Window], rest_w: float, rest_doubt_w: float, words: str, reason: str) -> Reading:
    """Millijoules of a token over all stretches, `rest_w` taken off."""
    if not windows:
        return Unmeasured(reason)
    values = [window.per_unit_mj(window.joules - rest_w * window.seconds) for window in windows]
    doubts = [window.per_unit_mj(window.doubt_j + rest_doubt_w * window.seconds) for window in windows]
    return Measured(
        percentile(values, 50),
        n=len(values),
        low=min(value - doubt for value, doubt in zip(values, doubts, strict=True)),
        high=max(value + doubt for value, doubt in zip(values, doubts, strict=True)),
        how=f"{words}; median, low/high: least and most, widened by what sampling leaves open",
    )
