"""The importance matrix: how strongly each input column of each weight was driven by calibration text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Importance:
    """Sums of squared activations per input column, as llama.cpp's `imatrix.gguf` holds them.

    `sums[name]`: float32 of shape (matrices, columns), the squares of all rows that went into tensor `name`
    (a GGUF tensor name), added up; `counts[name]`: int64 of shape (matrices,), how many rows those were. Dense
    models have one matrix a tensor. `chunk_size` is 0 where the file does not say it (the old `.dat` format,
    whose counts are chunks instead of rows; the means are the same). `datasets` name the text.
    """

    sums: Mapping[str, Floats] = field(repr=False)
    counts: Mapping[str, NDArray[np.int64]] = field(repr=False)
    datasets: tuple[str, ...]
    chunk_count: int
    chunk_size: int

    @property
    def tokens(self) -> int:
        """Tokens that were seen; 0 where the file does not say."""
        return self.chunk_count * self.chunk_size

    @cached_property
    def values(self) -> dict[str, Floats]:
        """Mean squares per column, flat float32 of matrices * columns, computed as llama.cpp's quantize does.

        A matrix that no row reached gets 1 in every column, as there.
        """
        return {name: _means(sums, self.counts[name]) for name, sums in self.sums.items()}


def _means(sums: Floats, counts: NDArray[np.int64]) -> Floats:
    divisor = counts.astype(np.float32)[:, None]
    seen = divisor > 0
    means = np.divide(sums, divisor, out=np.ones_like(sums, dtype=np.float32), where=seen)
    return np.ascontiguousarray(means, dtype=np.float32).reshape(-1)
