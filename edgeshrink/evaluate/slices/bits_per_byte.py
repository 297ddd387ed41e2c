"""Bits a byte of text: what it costs each model to write it, which needs no vocabulary that they share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from edgeshrink.core.behaviour import Metric
from edgeshrink.core.reading import Unmeasured
from edgeshrink.evaluate.bits import Bits
from edgeshrink.evaluate.clusters import Clusters, Figure
from edgeshrink.evaluate.slices.interface import ReadText
from edgeshrink.evaluate.statistics import Doubles

BITS_PER_BYTE = "bits per byte"
_UNIT = "bits/byte"
_NOT_COUNTED = Figure(Unmeasured("the bytes of these texts were not counted"), None)


def bits_per_byte(texts: Sequence[ReadText], clusters: Clusters) -> Metric:
    """Of all positions of `texts`, whose blocks `clusters` are; of both sides, and paired."""
    counted = [text.bits for text in texts if text.bits is not None]
    if len(counted) < len(texts):
        reference = candidate = loss = _NOT_COUNTED
    else:
        before, after = _sums(counted, "reference_"), _sums(counted, "")
        reference, candidate, loss = clusters.ratio(before), clusters.ratio(after), clusters.ratio(after, before)
    return Metric(BITS_PER_BYTE, _UNIT, "lower", reference.reading, candidate.reading, loss.reading, bounds=loss.bounds)


def _sums(texts: Sequence[Bits], side: str) -> tuple[Doubles, Doubles]:
    """Bits and bytes of each position."""
    nats, nbytes = (
        np.concatenate([getattr(text, f"{side}{name}") for text in texts], dtype=np.float64)
        for name in ("nll", "nbytes")
    )
    return nats / math.log(2), nbytes


def without_distances(
    texts: Sequence[ReadText], metrics: Mapping[str, tuple[str, Literal["higher", "lower"]]]
) -> tuple[Metric, ...]:
    """`metrics` (name -> unit, better) with the reason why there are none, where the models' vocabularies have no
    distance; () where they have."""
    why = next((Unmeasured(text.apart) for text in texts if text.apart), None)
    if why is None:
        return ()
    return tuple(Metric(name, unit, better, why, why, why) for name, (unit, better) in metrics.items())
