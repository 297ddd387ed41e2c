"""What it costs two models to write the same text, beside the bytes of it: comparable whatever their tokens are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.evaluate.statistics import Doubles

_KEPT = np.dtype([("nll", "<f4"), ("nbytes", "<u4"), ("reference_nll", "<f4"), ("reference_nbytes", "<u4")])


@dataclass(frozen=True, slots=True)
class Bits:
    """One of each a scored position of the reference: `nll`, nats, of the tokens that a side has there, which write
    `nbytes` bytes of the text. A control token writes none, and costs nothing."""

    nll: Doubles
    nbytes: NDArray[np.int64]
    reference_nll: Doubles
    reference_nbytes: NDArray[np.int64]

    def append(self, file: IO[bytes]) -> None:
        """Behind those in `file`: 16 bytes a position."""
        kept = np.empty(len(self.nll), _KEPT)
        for part in fields(self):
            kept[part.name] = getattr(self, part.name)
        file.write(kept.tobytes())

    @classmethod
    def kept(cls, path: Path) -> Bits:
        """What was appended."""
        kept = np.fromfile(path, _KEPT)
        columns: dict[str, Any] = {part.name: kept[part.name] for part in fields(cls)}
        return cls(**columns)
