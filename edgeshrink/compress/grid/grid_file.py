"""The files beside the weights of a model that was trained for a grid: its codes, and the proof of them. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.grid import LOGITS, TOKENS, TOLD, weights_digest
from edgeshrink.core.grid import GRID_FILE, PROBE_FILE
from edgeshrink.errors import NO_SPACE, NoSpace, StepFailed

Pieces = Mapping[str, NDArray[Any]]


def write_grid(
    folder: Path,
    tensors: Mapping[str, tuple[str, tuple[int, ...], Pieces]],
    *,
    format: str,
    scheme: str,
    settings: Mapping[str, int | str | bool],
) -> None:
    """GRID_FILE of `folder`, whose weights stand there already and are what the pieces of `tensors` (name -> type,
    shape, pieces) spell. NoSpace, StepFailed: it cannot be written."""
    from safetensors.numpy import save_file

    arrays = {
        f"{name}/{piece}": np.ascontiguousarray(held)
        for name, (_, _, pieces) in tensors.items()
        for piece, held in pieces.items()
    }
    told = {
        "format": format,
        "scheme": scheme,
        "settings": dict(settings),
        "tensors": {name: [type, list(shape)] for name, (type, shape, _) in tensors.items()},
        "weights": weights_digest(folder),
    }
    with _explained(folder):
        # One entry: safetensors writes several in any order, and equal codes should make equal files.
        save_file(arrays, folder / GRID_FILE, {TOLD: json.dumps(told)})


def write_probe(folder: Path, tokens: NDArray[np.int32], logits: NDArray[np.float32]) -> None:
    """PROBE_FILE of `folder`: `tokens` (n,) and `logits` (n, vocabulary)."""
    from safetensors.numpy import save_file

    with _explained(folder):
        save_file({TOKENS: np.ascontiguousarray(tokens), LOGITS: np.ascontiguousarray(logits)}, folder / PROBE_FILE)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        # safetensors says it in words alone.
        if getattr(error, "errno", None) in NO_SPACE or "No space left" in str(error):
            raise NoSpace(f"no room for the codes in {folder}", hint="free some space") from error
        raise StepFailed(f"the codes cannot be written into {folder}: {error}") from error
