"""Answers that say nearly the same as one before, to whichever prompt: their sets of shingles (runs of words) resemble
each other at least as much as a limit says. Broder 1997, "On the resemblance and containment of documents".

Candidates are found by min-wise hashes in bands (Indyk and Motwani 1998; Leskovec, Rajaraman and Ullman, Mining of
Massive Datasets, 3.4): two answers meet where a band of ROWS of their BANDS * ROWS smallest hashes is equal. They are
then compared shingle by shingle, so nothing is dropped by chance. Pairs with a resemblance of 0.8 meet with a
probability of 1 - (1 - 0.8^4)^16 = 0.9998.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeshrink.compress.distill.sequences.interface import Sample

SHINGLE = 5
"""Words of a shingle."""
FEWEST_WORDS = 16
"""Shorter answers ("yes", "42") are alike without being copies."""
BANDS, ROWS = 16, 4
_MULTIPLIERS = np.random.default_rng(1997).integers(1 << 63, size=BANDS * ROWS, dtype=np.uint64) * np.uint64(
    2
) + np.uint64(1)
Shingles = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """Remembers the shingles of what it kept: 8 bytes a word, and about 2 KiB an answer."""

    limit: float = 0.8
    _kept: list[Shingles] = field(default_factory=list, init=False, repr=False)
    _bands: dict[bytes, list[int]] = field(default_factory=dict, init=False, repr=False)
    name: ClassVar[str] = "near-duplicates"
    told: ClassVar[str] = "nearly the same as another answer"

    def keeps(self, sample: Sample) -> bool:
        words = sample.answer.casefold().split()
        if len(words) < FEWEST_WORDS:
            return True
        own = _shingles(words)
        keys = list(_keys(own))
        candidates = sorted({number for key in keys for number in self._bands.get(key, ())})
        if any(resemblance(own, self._kept[number]) >= self.limit for number in candidates):
            return False
        for key in keys:
            self._bands.setdefault(key, []).append(len(self._kept))
        self._kept.append(own)
        return True


def resemblance(one: Shingles, other: Shingles) -> float:
    """Of two sorted sets: what they share over all that they have (Jaccard)."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)


def _shingles(words: list[str]) -> Shingles:
    """Hashes of all runs of SHINGLE words, sorted, each once."""
    runs = ("\0".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1))
    hashes = [int.from_bytes(blake2b(run.encode("utf-8", "replace"), digest_size=8).digest()) for run in runs]
    return np.unique(np.array(hashes, np.uint64))


def _keys(shingles: Shingles) -> Iterator[bytes]:
    """One a band. A hash function is a multiplication by an odd number, of which the high half counts (Dietzfelbinger
    et al. 1997)."""
    smallest = ((shingles[:, None] * _MULTIPLIERS) >> np.uint64(32)).min(axis=0).reshape(BANDS, ROWS)
    for band, row in enumerate(smallest):
        yield bytes([band]) + row.astype("<u4").tobytes()
