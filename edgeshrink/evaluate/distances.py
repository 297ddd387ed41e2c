"""How far two models stand apart at each scored position: pure arithmetic over rows of logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.importance import Floats
from edgeshrink.evaluate.compact import Rows, expected_log, top_logs
from edgeshrink.evaluate.row_slices import ELEMENTS, in_slices
from edgeshrink.evaluate.statistics import Doubles, log_softmax

KEPT = np.dtype(
    [
        ("kl", "<f8"),
        ("nll", "<f4"),
        ("reference_nll", "<f4"),
        ("confidence", "<f4"),
        ("reference_confidence", "<f4"),
        ("same_top", "?"),
        ("right", "?"),
        ("reference_right", "?"),
    ]
)
"""What a suite keeps of a position, and holds in memory: 27 bytes."""


@dataclass(frozen=True, slots=True)
class Distances:
    """One number a position, in text order. Without a reference its own figures and all distances are empty.

    `kl`: KL(reference || candidate), nats; `nll`, `reference_nll`: minus the log-probability of the token that
    follows; `same_top`: 1.0 where the most probable token is the same; `difference`: largest absolute difference of
    a logit, over the tokens that the reference stores exactly; `confidence`, `reference_confidence`: probability of the
    most probable token, which is `top`, `reference_top`; `right`, `reference_right`: 1.0 where that is the token that
    follows.
    """

    kl: Doubles
    nll: Doubles
    reference_nll: Doubles
    same_top: Doubles
    difference: Doubles
    confidence: Doubles
    reference_confidence: Doubles
    right: Doubles
    reference_right: Doubles
    top: NDArray[np.int64]
    reference_top: NDArray[np.int64]

    @property
    def has_reference(self) -> bool:
        return self.kl.size > 0

    def save(self, path: Path) -> None:
        arrays: dict[str, Any] = {part.name: getattr(self, part.name) for part in fields(self)}
        with path.open("wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> Distances:
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{part.name: arrays[part.name] for part in fields(cls)})

    def append(self, file: IO[bytes]) -> None:
        """Records of KEPT behind those in `file`."""
        kept = np.empty(len(self.kl), KEPT)
        for name in KEPT.names or ():
            kept[name] = getattr(self, name)
        file.write(kept.tobytes())

    @classmethod
    def kept(cls, path: Path) -> Distances:
        """What was appended, in the precision of KEPT; the rest is empty."""
        kept, names = np.fromfile(path, KEPT), KEPT.names or ()
        columns: dict[str, Any] = {name: kept[name] for name in names}
        return cls(**{part.name: columns.get(part.name, np.empty(0)) for part in fields(cls)})

    @classmethod
    def none(cls) -> Distances:
        """Of no positions."""
        return cls(**{part.name: np.empty(0) for part in fields(cls)})  # type: ignore[arg-type]

    @classmethod
    def joined(cls, parts: Sequence[Distances]) -> Distances:
        return cls(**{part.name: np.concatenate([getattr(each, part.name) for each in parts]) for part in fields(cls)})


def distances(
    candidate: Floats,
    reference: Rows | None,
    following: Sequence[int],
    *,
    threads: int = 1,
    elements: int = ELEMENTS,
) -> Distances:
    """Of rows (n, vocabulary) of logits and the n token ids that follow; float64 inside, so many elements at a time."""

    def work(piece: slice) -> Distances:
        rows = None if reference is None else np.asarray(reference[piece])
        return _slice(candidate[piece], rows, np.asarray(following[piece]))

    return Distances.joined(in_slices(work, *candidate.shape, threads=threads, elements=elements))


def _slice(candidate: Floats, reference: Rows | None, following: NDArray[np.int64]) -> Distances:
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is reported, not hidden
        rows = np.arange(len(candidate))
        own = log_softmax(candidate)
        top: NDArray[np.int64] = candidate.argmax(axis=1)
        alone: dict[str, Any] = {
            "nll": -own[rows, following],
            "confidence": np.exp(own[rows, top]),
            "right": (top == following).astype(np.float64),
            "top": top,
        }
        if reference is None:
            return Distances(**{part.name: alone.get(part.name, np.empty(0)) for part in fields(Distances)})
        exact = reference["top"].astype(np.int64)
        logits = np.take_along_axis(candidate, exact, axis=1)
        expected = exact[:, 0]
        return Distances(
            **alone,
            kl=reference["entropy"] - expected_log(reference, own),
            reference_nll=-reference["following"],
            same_top=(top == expected).astype(np.float64),
            difference=np.abs(logits - reference["logits"].astype(np.float64)).max(axis=1),
            reference_confidence=np.exp(top_logs(reference)[:, 0]),
            reference_right=(expected == following).astype(np.float64),
            reference_top=expected,
        )
