"""Calibration samples as the inputs of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, helper

from edgeshrink.catalog.onnx_file import free_inputs
from edgeshrink.catalog.samples import load_samples
from edgeshrink.errors import DataError

Feed = dict[str, NDArray[Any]]


def feeds(model: ModelProto, samples: Path) -> list[Feed]:
    """The samples in `samples` (written by catalog.samples), each as the model's inputs by name.

    DataError where there is none, or an input is missing or of another rank.
    """
    names = [value.name for value in free_inputs(model.graph)]
    stored = load_samples(samples, names=names)
    result = [_feed(model, sample.arrays, f"{samples}: sample {at}") for at, sample in enumerate(stored.items)]
    if not result:
        raise DataError(f"{samples}: it holds no samples", hint="give --calibration a folder with samples")
    return result


def _feed(model: ModelProto, entry: Mapping[str, NDArray[Any]], where: str) -> Feed:
    feed = {}
    for value in free_inputs(model.graph):
        if value.name not in entry:
            raise DataError(f"{where} lacks the input {value.name}", hint=f"it has: {', '.join(entry)}")
        kind = value.type.tensor_type
        array = entry[value.name]
        if kind.HasField("shape") and len(kind.shape.dim) != array.ndim:
            raise DataError(
                f"{where}: {value.name} has {array.ndim} dimensions, the network takes {len(kind.shape.dim)}"
            )
        feed[value.name] = array.astype(helper.tensor_dtype_to_np_dtype(kind.elem_type), copy=False)
    return feed


class Reader:
    """A CalibrationDataReader over feeds."""

    def __init__(self, given: Sequence[Feed]) -> None:
        self._rest = iter(given)

    def get_next(self) -> Feed | None:
        return next(self._rest, None)


def relative_error(reference: Sequence[NDArray[Any]], other: Sequence[NDArray[Any]]) -> float:
    """Squared difference over squared reference, summed over floating outputs; inf where `other` is not finite."""
    signal, noise = 0.0, 0.0
    for one, two in zip(reference, other, strict=True):
        if not np.issubdtype(one.dtype, np.floating):
            continue
        signal += float(np.sum(np.square(one, dtype=np.float64)))
        noise += float(np.sum(np.square(one.astype(np.float64) - two)))
    if not np.isfinite(noise):
        return float("inf")
    return noise / signal if signal else noise
