"""Experts are merged: those whose outputs are alike become one.

Clusters by average linkage, from one an expert down to as many as stay, as in Chen et al. 2024 (HC-SMoE),
arXiv:2410.08589; a cluster's experts are averaged by how many tokens each is sent, as in Li et al. 2023 (M-SMoE),
arXiv:2310.01334. The expert with the highest score leads: its order of channels is the one that the others are brought
into (`alignment`). Pure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeshrink.compress.prune.experts.cut import ExpertCut, NewExpert

Floats = NDArray[np.float64]


def merged(distances: Floats, scores: Floats, counts: Floats, kept: int) -> ExpertCut:
    """`kept` experts a layer of clusters by `distances` (layers, experts, experts); `scores` and `counts` (layers,
    experts): who leads, and the tokens that shares come from."""
    return ExpertCut(
        tuple(
            tuple(sorted((_one(group, score, tokens) for group in clusters(apart, kept)), key=lambda one: one.members))
            for apart, score, tokens in zip(distances, scores, counts, strict=True)
        )
    )


def clusters(distances: Floats, kept: int) -> list[tuple[int, ...]]:
    """`kept` groups of the numbers of `distances` (n, n): the two nearest groups join, by the mean distance of their
    members, until so many are left; of equals the first."""
    groups: list[tuple[int, ...]] = [(number,) for number in range(len(distances))]
    while len(groups) > kept:
        pairs = [(first, second) for first in range(len(groups)) for second in range(first + 1, len(groups))]
        apart = [float(distances[np.ix_(groups[first], groups[second])].mean()) for first, second in pairs]
        first, second = pairs[int(np.argmin(apart))]
        groups[first] = tuple(sorted((*groups[first], *groups.pop(second))))
    return groups


def _one(group: tuple[int, ...], scores: Floats, counts: Floats) -> NewExpert:
    members = tuple(sorted(group, key=lambda number: (-scores[number], number)))
    tokens = np.maximum(counts[list(members)], 1.0)
    shares = tokens / tokens.sum()
    return NewExpert(members, tuple(float(share) for share in shares))
