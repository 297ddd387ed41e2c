"""How far two models stand apart at each scored position: pure arithmetic over rows of logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.importance import Floats
from edgeshrink.evaluate.statistics import Doubles, kl_divergence, log_softmax

_SLICE_ELEMENTS = 1 << 22  # 32 MiB of float64 at a time
_FIELDS = ("kl", "nll", "reference_nll", "same_top", "difference")


@dataclass(frozen=True, slots=True)
class Distances:
    """One number a position, in text order. Without a reference only `nll` is there, the others are empty.

    `kl`: KL(reference || candidate), nats; `nll`, `reference_nll`: minus the log-probability of the token that
    follows; `same_top`: 1.0 where the most probable token is the same; `difference`: largest absolute difference of
    a logit.
    """

    kl: Doubles
    nll: Doubles
    reference_nll: Doubles
    same_top: Doubles
    difference: Doubles

    @property
    def has_reference(self) -> bool:
        return self.kl.size > 0

    def save(self, path: Path) -> None:
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _FIELDS}
        with path.open("wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> Distances:
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in _FIELDS})

    @classmethod
    def joined(cls, parts: Sequence[Distances]) -> Distances:
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS})


def distances(candidate: Floats, reference: Floats | None, following: Sequence[int]) -> Distances:
    """Of rows (n, vocabulary) of logits and the n token ids that follow; float64 inside, a slice at a time."""
    step = max(1, _SLICE_ELEMENTS // candidate.shape[1])
    parts = []
    for start in range(0, len(candidate), step):
        stop = start + step
        rows = None if reference is None else np.asarray(reference[start:stop])
        parts.append(_slice(candidate[start:stop], rows, np.asarray(following[start:stop])))
    return Distances.joined(parts)


def _slice(candidate: Floats, reference: Floats | None, following: NDArray[np.int64]) -> Distances:
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is reported, not hidden
        rows = np.arange(len(candidate))
        own = log_softmax(candidate)
        nll: Doubles = -own[rows, following]
        if reference is None:
            nothing = np.empty(0)
            return Distances(nothing, nll, nothing, nothing, nothing)
        other = log_softmax(reference)
        return Distances(
            kl=kl_divergence(other, own),
            nll=nll,
            reference_nll=-other[rows, following],
            same_top=(candidate.argmax(axis=1) == reference.argmax(axis=1)).astype(np.float64),
            difference=np.abs(candidate.astype(np.float64) - reference).max(axis=1),
        )
