"""Distances between a network's outputs and the float network's, a sample at a time, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.evaluate.statistics import RESAMPLES, SEED, Blocks, share

Outputs = Mapping[str, NDArray[np.generic]]
_NEIGHBOURS = 16  # samples of one stream that are taken together when an interval is drawn
_TINY = 1e-30


@dataclass(frozen=True, slots=True)
class SampleDistances:
    """One sample. `cosine`: of its worst output. By output: `difference`, the largest absolute one; `largest`, the
    float network's largest absolute value; `signal` and `noise`, squared sums. `top`: whether the largest value is at
    the same place (None: no classifier). `finite`: all are numbers."""

    cosine: float
    difference: dict[str, float]
    largest: dict[str, float]
    signal: dict[str, float]
    noise: dict[str, float]
    top: bool | None
    finite: bool


@dataclass(frozen=True, slots=True)
class NetworkReadings:
    """What goes into a NetworkQuality. `relative`: the largest difference over the largest value of that output."""

    cosine_mean: Reading
    cosine_min: Reading
    max_difference: Reading
    sqnr_db: Reading
    same_top_share: Reading
    relative: float = field(default=math.nan)


def distances(reference: Outputs, candidate: Outputs) -> SampleDistances:
    """Of all floating outputs (of all, where none is floating); every output of `reference` is in `candidate`, with
    the same shape."""
    floating = [name for name, array in reference.items() if array.dtype.kind == "f"] or list(reference)
    cosine, finite = 1.0, True
    difference, largest, signal, noise = {}, {}, {}, {}
    with np.errstate(all="ignore"):
        for name in floating:
            true = np.asarray(reference[name], dtype=np.float64).reshape(-1)
            found = np.asarray(candidate[name], dtype=np.float64).reshape(-1)
            finite = finite and bool(np.isfinite(found).all())
            signal[name] = float(np.square(true).sum())
            noise[name] = float(np.square(found - true).sum())
            cosine = _lower(cosine, _cosine(true, found))
            difference[name] = float(np.abs(found - true).max(initial=0.0))
            largest[name] = float(np.abs(true).max(initial=0.0))
    return SampleDistances(cosine, difference, largest, signal, noise, _same_top(reference, candidate), finite)


def readings(samples: Sequence[SampleDistances], *, in_order: bool) -> NetworkReadings:
    """Means, extremes and their 95 % intervals. `in_order`: samples of one stream, where neighbours are alike."""
    wrong = sum(not sample.finite for sample in samples)
    if wrong or not samples:
        nothing = Unmeasured(f"{wrong} of {len(samples)} samples are not finite" if samples else "nothing was run")
        return NetworkReadings(nothing, nothing, nothing, nothing, nothing)
    count = len(samples)
    cosines = np.array([sample.cosine for sample in samples])
    top = [sample.top for sample in samples]
    names = list(samples[0].difference)
    apart = {name: max(sample.difference[name] for sample in samples) for name in names}
    largest = {name: max(sample.largest[name] for sample in samples) for name in names}
    worst = max(names, key=lambda name: apart[name])
    return NetworkReadings(
        cosine_mean=mean_reading(cosines, in_order=in_order),
        cosine_min=Measured(float(cosines.min()), n=count, how=f"the lowest of {count} samples"),
        max_difference=Measured(
            apart[worst],
            n=count,
            how=f"the largest of {count} samples, in {worst}, where the float network goes up to {largest[worst]:.3g}",
        ),
        sqnr_db=_sqnr(samples),
        same_top_share=share(sum(bool(same) for same in top), count)
        if all(same is not None for same in top)
        else Unmeasured("no classifier: that has one output, a row of scores"),
        relative=max(apart[name] / max(largest[name], _TINY) for name in names),
    )


def mean_reading(values: ArrayLike, *, in_order: bool) -> Reading:
    """The mean of one value a sample: a share where all are 0 or 1, else with a bootstrap interval over samples."""
    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) < 2:
        return Measured(float(numbers[0]), n=1, how="one sample, no interval") if len(numbers) else Unmeasured("none")
    if not np.isfinite(numbers).all():
        return Unmeasured(f"{int((~np.isfinite(numbers)).sum())} of {len(numbers)} samples are not finite")
    if set(numbers.tolist()) <= {0.0, 1.0} and not in_order:
        return share(int(numbers.sum()), len(numbers))
    size = _NEIGHBOURS if in_order else 1
    reading = Blocks.of(1, len(numbers), block=size).mean(numbers)
    if isinstance(reading, Unmeasured) or reading.low is None:
        return reading
    how = f"95 % interval, bootstrap over {'runs of neighbouring' if in_order else ''} samples".replace("  ", " ")
    return Measured(reading.value, n=reading.n, low=reading.low, high=reading.high, how=how)


def _sqnr(samples: Sequence[SampleDistances]) -> Reading:
    """Of the output that has the lowest: 10 log10 of the summed squares over those of the difference."""
    worst: tuple[float, str] | None = None
    for name in samples[0].signal:
        signal, noise = (sum(getattr(sample, what)[name] for sample in samples) for what in ("signal", "noise"))
        ratio = signal / noise if noise else math.inf
        worst = min(worst or (ratio, name), (ratio, name))
    if worst is None or math.isinf(worst[0]):
        return Unmeasured("there is no difference: every output is the same to the last bit")
    ratio, name = worst
    if ratio <= 0:
        return Unmeasured("the float network's outputs are all zero")
    count = len(samples)
    draws = np.random.default_rng(SEED).integers(count, size=(RESAMPLES, count))
    signals = np.array([sample.signal[name] for sample in samples])[draws].sum(axis=1)
    noises = np.array([sample.noise[name] for sample in samples])[draws].sum(axis=1)
    value = 10 * math.log10(ratio)
    if count < 2 or not noises.all() or not signals.all():
        return Measured(value, n=count, how=f"of the output {name}")
    low, high = (float(bound) for bound in np.quantile(10 * np.log10(signals / noises), (0.025, 0.975)))
    how = f"of the output {name}, 95 % interval, bootstrap over samples"
    return Measured(value, n=count, low=min(low, value), high=max(high, value), how=how)


def _cosine(true: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    lengths = float(np.linalg.norm(true)) * float(np.linalg.norm(found))
    if lengths == 0.0:
        return 1.0 if not true.any() and not found.any() else 0.0
    return float(np.clip(true @ found / lengths, -1.0, 1.0))


def _same_top(reference: Outputs, candidate: Outputs) -> bool | None:
    if len(reference) != 1:
        return None
    (name, true), *_ = reference.items()
    if true.ndim != 2 or true.shape[1] < 2 or true.dtype.kind != "f":
        return None
    found = np.asarray(candidate[name])
    return bool((np.argmax(true, axis=1) == np.argmax(found, axis=1)).all())


def _lower(one: float, two: float) -> float:
    """The lower; nan wins."""
    return two if math.isnan(two) or two < one else one
