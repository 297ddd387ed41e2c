"""Whether a model that reads on drifts off: its divergence along the window, over all texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgeshrink.core.behaviour import Confidence, Part, Slice
from edgeshrink.evaluate.clusters import Clusters
from edgeshrink.evaluate.slices.bits_per_byte import without_distances
from edgeshrink.evaluate.slices.interface import ReadText
from edgeshrink.evaluate.slices.text import distance
from edgeshrink.evaluate.statistics import BLOCK, Doubles

NAME = "drift"
SLICE = "long-context/drift"
METRICS = ("KL growth", "late KL")
_TITLE = "Divergence along the window"


def metrics(labels: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    return {SLICE: METRICS} if labels else {}


def slices(texts: Sequence[ReadText], confidence: Confidence) -> Iterator[Slice]:
    """Growth: mean KL over the last quarter of each window's scored positions, minus that over the first quarter."""
    if apart := without_distances(texts, dict.fromkeys(METRICS, ("nats", "lower"))):
        yield Slice(SLICE, _TITLE, sum(text.windows for text in texts), None, apart)
        return
    windows = [window for text in texts for window in _windows(text)]
    if not windows:
        return
    early, late = (np.array([quarter(window).mean() for _, window in windows]) for quarter in (_first, _last))
    clusters = Clusters(np.ones(len(windows), np.int64), confidence.each, "windows")
    yield Slice(
        name=SLICE,
        title=_TITLE,
        items=len(windows),
        chance=None,
        metrics=(distance("KL growth", clusters.mean(late - early)), distance("late KL", clusters.mean(late))),
        parts=tuple(_parts(windows, confidence)),
        notes=(f"all positions of all texts, windows of up to {max(len(kl) + at for at, kl in windows) + 1} tokens",),
    )


def _windows(text: ReadText) -> Iterator[tuple[int, Doubles]]:
    """(position of the first, KL of its scored positions) of each window."""
    kl: Doubles = np.maximum(text.distances.kl, 0.0)
    for window in range(text.windows):
        yield text.first, kl[window * text.scored_each : (window + 1) * text.scored_each]


def _first(kl: Doubles) -> Doubles:
    return kl[: max(1, len(kl) // 4)]


def _last(kl: Doubles) -> Doubles:
    return kl[-max(1, len(kl) // 4) :]


def _parts(windows: Sequence[tuple[int, Doubles]], confidence: Confidence) -> Iterator[Part]:
    """Mean KL from each power of two to the next."""
    begin, longest = 0, max(at + len(kl) for at, kl in windows)
    end = BLOCK
    while begin < longest:
        pieces = [kl[max(0, begin - at) : max(0, end - at)] for at, kl in windows]
        pieces = [piece for piece in pieces if len(piece)]
        if pieces:
            sizes = np.array([len(piece) for piece in pieces])
            figure = Clusters(sizes, confidence.each, "windows").mean(np.concatenate(pieces))
            first, last = max(begin, min(at for at, _ in windows)), min(end, longest) - 1
            metric = replace(distance("mean KL", figure), bounds=None)
            yield Part(f"positions {first} to {last}", int(sizes.sum()), metric)
        begin, end = end, 2 * end
