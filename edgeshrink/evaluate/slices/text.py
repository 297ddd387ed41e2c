"""How far the next-token distributions stand apart, on each labelled text on its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from edgeshrink.core.behaviour import Confidence, Metric, Slice
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.evaluate.clusters import Clusters, Figure, column
from edgeshrink.evaluate.slices.bits_per_byte import BITS_PER_BYTE, bits_per_byte, without_distances
from edgeshrink.evaluate.slices.interface import ReadText
from edgeshrink.evaluate.statistics import FEWEST_FOR_P99

NAME = "text"
A_DISTANCE = Unmeasured("a distance to the reference, which has none to itself")
_DISTANCES: Mapping[str, tuple[str, Literal["higher", "lower"]]] = {
    "mean KL": ("nats", "lower"),
    "median KL": ("nats", "lower"),
    "p99 KL": ("nats", "lower"),
    "max KL": ("nats", "lower"),
    "same top": ("share", "higher"),
    "perplexity ratio": ("x", "lower"),
}
METRICS = (*_DISTANCES, BITS_PER_BYTE)
_WORST = 5


def metrics(labels: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    return {f"text/{label}": METRICS for label in labels}


def slices(texts: Sequence[ReadText], confidence: Confidence) -> Iterator[Slice]:
    for label in dict.fromkeys(text.label for text in texts):
        yield _slice([text for text in texts if text.label == label], confidence)


def distance(name: str, figure: Figure, unit: str = "nats") -> Metric:
    """A metric that is its own loss."""
    return Metric(name, unit, "lower", A_DISTANCE, figure.reading, figure.reading, figure.bounds)


def _slice(rounds: Sequence[ReadText], confidence: Confidence) -> Slice:
    clusters = Clusters.of(rounds, confidence.each)
    worst = sorted((specimen for text in rounds for specimen in text.worst), key=lambda one: -one.loss)
    return Slice(
        name=f"text/{rounds[0].label}",
        title=rounds[0].title,
        items=clusters.n,
        chance=None,
        metrics=(*_of_distances(rounds, clusters), bits_per_byte(rounds, clusters)),
        worst=tuple(worst[:_WORST]),
    )


def _of_distances(rounds: Sequence[ReadText], clusters: Clusters) -> tuple[Metric, ...]:
    if apart := without_distances(rounds, _DISTANCES):
        return apart
    kl = np.maximum(column(rounds, "kl"), 0.0)  # the stored reference leaves a divergence of nothing at some -1e-8
    p99 = Figure(Unmeasured(f"{len(kl)} positions, a 99th percentile needs at least {FEWEST_FOR_P99}"), None)
    same_top = column(rounds, "same_top")
    agreement, lost = clusters.share(same_top), clusters.share(1.0 - same_top)
    ratio = clusters.mean(column(rounds, "nll") - column(rounds, "reference_nll")).then(
        lambda mean: math.exp(min(mean, 700.0))
    )
    grown = ratio.then(lambda value: value - 1)
    return (
        distance("mean KL", clusters.mean(kl)),
        distance("median KL", clusters.quantile(kl, 0.5)),
        distance("p99 KL", clusters.quantile(kl, 0.99) if len(kl) >= FEWEST_FOR_P99 else p99),
        distance("max KL", _largest(kl)),
        Metric("same top", "share", "higher", A_DISTANCE, agreement.reading, lost.reading, lost.bounds),
        Metric("perplexity ratio", "x", "lower", A_DISTANCE, ratio.reading, grown.reading, grown.bounds),
    )


def _largest(kl: np.ndarray) -> Figure:
    largest = float(kl.max())
    if not math.isfinite(largest):
        return Figure(Unmeasured("some positions are not finite"), None)
    reading = Measured(largest, n=len(kl), how="the largest that was seen; what was not seen may be larger")
    return Figure(reading, (largest, math.inf))
