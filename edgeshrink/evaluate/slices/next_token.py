"""Whether the model's confidence in its most probable token can be believed, before and after, over all texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgeshrink.core.behaviour import Confidence, Metric, Part, Slice
from edgeshrink.evaluate.clusters import Clusters, Figure, column
from edgeshrink.evaluate.paired import BINS
from edgeshrink.evaluate.slices.bits_per_byte import without_distances
from edgeshrink.evaluate.slices.interface import ReadText
from edgeshrink.evaluate.statistics import Doubles

NAME = "next-token"
SLICE = "calibration/next-token"
METRICS = ("calibration error", "Brier", "over-confidence")
_TITLE = "Calibration of the next token"
_SIDES = ("reference_", "")
"""What the names of both models' figures begin with in Distances."""


def metrics(labels: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    return {SLICE: METRICS} if labels else {}


def slices(texts: Sequence[ReadText], confidence: Confidence) -> Iterator[Slice]:
    """Of the most probable token and whether it follows: expected calibration error, Brier score (1950), and by how
    much confidence exceeds the share that is right."""
    if not texts:
        return
    if apart := without_distances(texts, dict.fromkeys(METRICS, ("share", "lower"))):
        yield Slice(SLICE, _TITLE, _positions(texts), None, apart)
        return
    labels = dict.fromkeys(text.label for text in texts)
    parts = []
    for label in labels:
        own = [text for text in texts if text.label == label]
        figure = _calibration_error(own, Clusters.of(own, confidence.each))
        parts.append(Part(label, _positions(own), replace(figure, bounds=None)))
    clusters = Clusters.of(texts, confidence.each)
    yield Slice(
        name=SLICE,
        title=_TITLE,
        items=_positions(texts),
        chance=None,
        metrics=(
            _calibration_error(texts, clusters),
            _mean("Brier", texts, clusters, np.square),
            _mean("over-confidence", texts, clusters, np.positive),
        ),
        parts=tuple(parts),
    )


def _positions(texts: Sequence[ReadText]) -> int:
    return sum(text.positions for text in texts)


def _gap(texts: Sequence[ReadText], side: str) -> Doubles:
    """Confidence minus right, of each position."""
    return column(texts, f"{side}confidence") - column(texts, f"{side}right")


def _mean(name: str, texts: Sequence[ReadText], clusters: Clusters, of_gap: Callable[[Doubles], Doubles]) -> Metric:
    reference, candidate = (of_gap(_gap(texts, side)) for side in _SIDES)
    return _metric(name, clusters.mean(reference), clusters.mean(candidate), clusters.mean(candidate - reference))


def _metric(name: str, reference: Figure, candidate: Figure, loss: Figure) -> Metric:
    return Metric(name, "share", "lower", reference.reading, candidate.reading, loss.reading, loss.bounds)


def _calibration_error(texts: Sequence[ReadText], clusters: Clusters) -> Metric:
    """Blocks are resampled, the bins stay those of all positions."""
    broken = clusters.mean(column(texts, "confidence") - column(texts, "reference_confidence"))
    if broken.reading.kind == "unmeasured":
        return _metric(METRICS[0], broken, broken, broken)
    gaps = [_binned_gaps(texts, side, clusters) for side in _SIDES]
    sizes = clusters.over_resampled(clusters.sizes.astype(np.float64))
    own = [float(np.abs(gap.sum(axis=0)).sum()) / clusters.n for gap in gaps]
    resampled = [np.abs(clusters.over_resampled(gap)).sum(axis=1) / sizes for gap in gaps]
    return _metric(
        METRICS[0],
        clusters.resampled_figure(own[0], resampled[0], (0.0, 1.0)),
        clusters.resampled_figure(own[1], resampled[1], (0.0, 1.0)),
        clusters.resampled_figure(own[1] - own[0], resampled[1] - resampled[0], (-1.0, 1.0)),
    )


def _binned_gaps(texts: Sequence[ReadText], side: str, clusters: Clusters) -> Doubles:
    """(blocks, bins): the sum of confidence minus right over a block's positions of each bin; bins of equal size."""
    order = np.argsort(column(texts, f"{side}confidence"), kind="stable")
    edges = np.linspace(0, len(order), BINS + 1).astype(np.int64)  # as paired.calibration_error has them
    cells = np.empty(len(order), np.int64)
    cells[order] = np.repeat(np.arange(BINS), np.diff(edges))
    cells += BINS * np.repeat(np.arange(len(clusters.sizes)), clusters.sizes)
    sums: Doubles = np.bincount(cells, _gap(texts, side), BINS * len(clusters.sizes)).astype(np.float64, copy=False)
    return sums.reshape(-1, BINS)
