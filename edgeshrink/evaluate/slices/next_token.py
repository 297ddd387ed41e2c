"""Whether the model's confidence in its most probable token can be believed, before and after, over all texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgeshrink.core.behaviour import Confidence, Metric, Part, Slice
from edgeshrink.evaluate.clusters import Clusters, Figure
from edgeshrink.evaluate.distances import Distances
from edgeshrink.evaluate.paired import BINS
from edgeshrink.evaluate.slices.interface import ReadText
from edgeshrink.evaluate.statistics import Doubles

NAME = "next-token"
VERSION = 1
SLICE = "calibration/next-token"
METRICS = ("calibration error", "Brier", "over-confidence")


def metrics(labels: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    return {SLICE: METRICS} if labels else {}


def slices(texts: Sequence[ReadText], confidence: Confidence) -> Iterator[Slice]:
    """Of the most probable token and whether it follows: expected calibration error, Brier score (1950), and by how
    much confidence exceeds the share that is right."""
    if not texts:
        return
    labels = dict.fromkeys(text.label for text in texts)
    parts = []
    for label in labels:
        found, clusters = _joined([text for text in texts if text.label == label], confidence)
        parts.append(Part(label, len(found.kl), replace(_calibration_error(found, clusters), bounds=None)))
    found, clusters = _joined(texts, confidence)
    yield Slice(
        name=SLICE,
        title="Calibration of the next token",
        items=len(found.kl),
        chance=None,
        metrics=(
            _calibration_error(found, clusters),
            _mean("Brier", (found.reference_confidence - found.reference_right) ** 2, _brier(found), clusters),
            _mean(
                "over-confidence",
                found.reference_confidence - found.reference_right,
                found.confidence - found.right,
                clusters,
            ),
        ),
        parts=tuple(parts),
    )


def _joined(texts: Sequence[ReadText], confidence: Confidence) -> tuple[Distances, Clusters]:
    return Distances.joined([text.distances for text in texts]), Clusters.of(texts, confidence.each)


def _brier(found: Distances) -> Doubles:
    return (found.confidence - found.right) ** 2


def _mean(name: str, reference: Doubles, candidate: Doubles, clusters: Clusters) -> Metric:
    return _metric(name, clusters.mean(reference), clusters.mean(candidate), clusters.mean(candidate - reference))


def _metric(name: str, reference: Figure, candidate: Figure, loss: Figure) -> Metric:
    return Metric(name, "share", "lower", reference.reading, candidate.reading, loss.reading, loss.bounds)


def _calibration_error(found: Distances, clusters: Clusters) -> Metric:
    """Blocks are resampled, the bins stay those of all positions."""
    broken = clusters.mean(found.confidence - found.reference_confidence)
    if broken.reading.kind == "unmeasured":
        return _metric(METRICS[0], broken, broken, broken)
    gaps = [
        _binned_gaps(sure, right)
        for sure, right in ((found.reference_confidence, found.reference_right), (found.confidence, found.right))
    ]
    sizes = clusters.resampled @ clusters.sizes
    own = [float(np.abs(gap.sum(axis=0)).sum()) / len(gap) for gap in gaps]
    resampled = [np.abs(clusters.resampled @ clusters.sums(gap)).sum(axis=1) / sizes for gap in gaps]
    return _metric(
        METRICS[0],
        clusters.resampled_figure(own[0], resampled[0], (0.0, 1.0)),
        clusters.resampled_figure(own[1], resampled[1], (0.0, 1.0)),
        clusters.resampled_figure(own[1] - own[0], resampled[1] - resampled[0], (-1.0, 1.0)),
    )


def _binned_gaps(confidence: Doubles, right: Doubles) -> Doubles:
    """(positions, bins): confidence minus right in the position's own bin, 0 in the others; bins of equal size."""
    order = np.argsort(confidence, kind="stable")
    edges = np.linspace(0, len(order), BINS + 1).astype(np.int64)  # as paired.calibration_error has them
    bins = np.empty(len(order), np.int64)
    bins[order] = np.searchsorted(edges, np.arange(len(order)), side="right") - 1
    gaps = np.zeros((len(order), BINS))
    gaps[np.arange(len(order)), bins] = confidence - right
    return gaps
