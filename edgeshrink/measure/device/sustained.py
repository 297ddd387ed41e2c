"""A long decode: speed, temperature and clock over time, and whether the device slowed down, and with what."""

from __future__ import annotations

from collections.abc import Sequence

from edgeshrink.core.measurement import SLOWED, Sustained, SustainedPoint
from edgeshrink.measure.cpu_use import BUSY
from edgeshrink.measure.device.events import Sample, Stretch
from edgeshrink.measure.device.sampling import Sampled
from edgeshrink.measure.statistics import percentile

SMOOTHED_OVER_S = 3.0
"""A scheduler's hiccup is shorter, heat is slower."""
SLOWER = 0.1
"""A fall of speed by this share is told."""
_SHARE = 0.15
"""The opening, and the slowest part, are this share of the run."""
_MOST_POINTS = 600
_DEGREES = 2.0
_CLOCK = 0.03


def sustained(
    stretches: Sequence[Stretch], samples: Sequence[Sample], sampled: Sampled, *, others: float = 0.0
) -> Sustained | None:
    """None where no long decode ran. Each point is the mean over the SMOOTHED_OVER_S before it. `others`: share (0 to
    1) of the CPUs that other programs had meanwhile."""
    if not stretches:
        return None
    points = _points(stretches, samples, sampled)
    step = max(1, -(-len(points) // _MOST_POINTS))
    hottest = _hottest_name(samples, sampled)
    return Sustained(tuple(points[::step]), throttling(points, hottest, others))


def throttling(points: Sequence[SustainedPoint], zone: str, others: float = 0.0) -> str:
    """What slowed down and what went with it ("speed fell by 23 % after 140 s while ..."); "" where nothing did.

    Without heat or a lower clock it is no throttling: it begins with SLOWED, and with what `others` used, if much.
    The opening's median speed is compared with that of the slowest stretch of the same length.
    """
    size = max(3, round(_SHARE * len(points)))
    if len(points) < 2 * size:
        return ""
    speeds = [point.tok_s for point in points]
    opening = percentile(speeds[:size], 50)

    def slowness(at: int) -> tuple[float, float]:
        part = speeds[at : at + size]
        return percentile(part, 50), sum(part)  # of equal medians the part that is slow throughout

    slow_at = min(range(size, len(points) - size + 1), key=slowness)
    slow = slowness(slow_at)[0]
    fall = 1 - slow / opening if opening > 0 else 0.0
    if fall < SLOWER:
        return ""
    half = (opening + slow) / 2
    since = next(at for at in range(slow_at, -1, -1) if at == 0 or speeds[at - 1] > half)
    parts = points[:size], points[slow_at : slow_at + size]
    fell = f"speed fell by {100 * fall:.0f} % after {points[since].at_s:.0f} s"
    if with_it := _with_it(*parts, zone):
        return f"{fell}{with_it}"
    busy = f"other programs used {100 * others:.0f} % of the CPUs; " if others > BUSY else ""
    return f"{SLOWED}{busy}{fell}; {_no_cause(parts[1])}"


def _with_it(opening: Sequence[SustainedPoint], slow: Sequence[SustainedPoint], zone: str) -> str:
    """Heat that rose and a clock that fell; "" where neither did."""
    parts = []
    warm, hot = (_mean([point.temperature_c for point in part]) for part in (opening, slow))
    if warm is not None and hot is not None and hot - warm >= _DEGREES:
        parts.append(f"{zone} rose to {hot:.0f} °C")
    fast, braked = (_mean([point.frequency_mhz for point in part]) for part in (opening, slow))
    if fast is not None and braked is not None and braked < (1 - _CLOCK) * fast:
        parts.append(f"the clock fell from {fast / 1e3:.2f} to {braked / 1e3:.2f} GHz")
    return " while " + " and ".join(parts) if parts else ""


def _no_cause(slow: Sequence[SustainedPoint]) -> str:
    seen = {
        "temperature": [point.temperature_c for point in slow],
        "clock": [point.frequency_mhz for point in slow],
    }
    blind = [name for name, values in seen.items() if _mean(values) is None]
    if len(blind) == 2:
        return "this device shows neither temperature nor clock"
    return f"nothing says why, its {blind[0]} is not shown" if blind else "neither temperature nor clock says why"


def _points(stretches: Sequence[Stretch], samples: Sequence[Sample], sampled: Sampled) -> list[SustainedPoint]:
    began = stretches[0].start
    points = []
    first = seen = 0
    for index, stretch in enumerate(stretches):
        while stretches[first].start < stretch.end - SMOOTHED_OVER_S and first < index:
            first += 1
        window = stretches[first : index + 1]
        seconds = sum(part.end - part.start for part in window)
        if seconds <= 0:
            continue
        while seen < len(samples) and samples[seen].t <= window[0].start:
            seen += 1
        near = []
        for sample in samples[seen:]:
            if sample.t > stretch.end:
                break
            near.append(sample)
        heat = [found[0] for found in map(sampled.temperature, near) if found is not None]
        points.append(
            SustainedPoint(
                at_s=stretch.end - began,
                tok_s=sum(part.tokens for part in window) / seconds,
                temperature_c=_mean(heat),
                frequency_mhz=_mean([sampled.frequency_mhz(sample) for sample in near]),
            )
        )
    return points


def _hottest_name(samples: Sequence[Sample], sampled: Sampled) -> str:
    found = [hot for hot in map(sampled.temperature, samples) if hot is not None]
    return max(found)[1] if found else ""


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
