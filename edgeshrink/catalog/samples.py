"""Samples: what a network is calibrated with and compared on. As values, and as one .npz file.

In the file: "00012/pixel_values" (an input of sample 12, batch dimension included) and "meta", a JSON text with the
labels, and which samples go on from the one before. It holds no pickle.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.network import Port
from edgeshrink.errors import DataError

_FORMAT = 1
_T = TypeVar("_T")
# How exporters call a state that a network hands on: h0 -> hn, state -> stateN, past_x -> present_x.
_STATE_IN = re.compile(r"^(in|past|prev|previous)_|_?(in|prev|past|old|0)$")
_STATE_OUT = re.compile(r"^(out|present|next|new)_|_?(out|next|new|present|n|1)$")


@dataclass(frozen=True, slots=True)
class Sample:
    """One set of inputs by name. `label` is the index of its class; `begins` False: it goes on from the sample before,
    so what a network handed on there as its state goes in here."""

    arrays: Mapping[str, NDArray[Any]]
    label: int | None = None
    begins: bool = True


@dataclass(frozen=True, slots=True)
class Samples:
    """`origin` says in a report's words where they are from; `classes` are the folders that labels number."""

    items: tuple[Sample, ...]
    origin: str
    classes: tuple[str, ...] = ()


def save_samples(path: Path, samples: Samples) -> None:
    """Write `samples` to `path` (.npz, not compressed)."""
    meta = {
        "format": _FORMAT,
        "origin": samples.origin,
        "classes": samples.classes,
        "labels": [sample.label for sample in samples.items],
        "begins": [sample.begins for sample in samples.items],
    }
    arrays: dict[str, NDArray[Any]] = {"meta": np.array(json.dumps(meta))}
    for index, sample in enumerate(samples.items):
        arrays |= {f"{index:05d}/{name}": array for name, array in sample.arrays.items()}
    np.savez(path, **arrays)  # type: ignore[arg-type]


def load_samples(path: Path, *, names: Sequence[str]) -> Samples:
    """What `save_samples` wrote; `names` are the network's inputs. DataError where the file is not whole."""
    try:
        with np.load(path, allow_pickle=False) as file:
            meta = json.loads(str(file["meta"]))
            if meta["format"] != _FORMAT:
                raise ValueError(f"format {meta['format']}")
            items = tuple(_items(file, names, meta))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as problem:
        raise DataError(f"{path} is not a file of samples: {problem}", hint="run the build again") from problem
    return Samples(items, str(meta["origin"]), tuple(meta["classes"]))


def state_pairs(inputs: Sequence[Port], outputs: Sequence[Port]) -> dict[str, str]:
    """{input: output} of the states that a network hands on: same type and shape, and names that say so."""
    pairs: dict[str, str] = {}
    for port in inputs:
        stem = _STATE_IN.sub("", port.name.lower())
        for output in outputs:
            same = output.dtype == port.dtype and output.shape == port.shape
            if same and stem and _STATE_OUT.sub("", output.name.lower()) == stem and output.name not in pairs.values():
                pairs[port.name] = output.name
                break
    return pairs


def divide(
    groups: Sequence[Sequence[_T]], *, calibration: int, evaluation: int, seed: int
) -> tuple[tuple[_T, ...], tuple[_T, ...]]:
    """Two selections that share nothing, each with the same number from every group as far as it goes.

    Where there are fewer than both together ask for, each gets its part. Deterministic in `seed`.
    """
    rng = np.random.default_rng(seed)
    shuffled = [[group[index] for index in rng.permutation(len(group))] for group in groups]
    longest = max((len(group) for group in shuffled), default=0)
    mixed = [group[turn] for turn in range(longest) for group in shuffled if turn < len(group)]
    asked = calibration + evaluation
    if len(mixed) < asked and calibration:
        calibration = max(1, len(mixed) * calibration // asked)
    return tuple(mixed[:calibration]), tuple(mixed[calibration : calibration + evaluation])


def fits(port: Port, shape: tuple[int, ...]) -> bool:
    """Whether an array of `shape` can go into `port`."""
    return len(shape) == len(port.shape) and all(
        isinstance(wanted, str) or wanted == size for wanted, size in zip(port.shape, shape, strict=True)
    )


def describe(port: Port) -> str:
    """ "input_ids int64 1 x sequence"."""
    return f"{port.name} {port.dtype} {' x '.join(map(str, port.shape)) or 'scalar'}"


def _items(file: Any, names: Sequence[str], meta: Mapping[str, Any]) -> Iterator[Sample]:
    keys = set(file.files)
    for index, (label, begins) in enumerate(zip(meta["labels"], meta["begins"], strict=True)):
        own = {name: f"{index:05d}/{name}" for name in names if f"{index:05d}/{name}" in keys}
        if not own:
            raise ValueError(f"no arrays of sample {index}")
        yield Sample({name: file[key] for name, key in own.items()}, label, bool(begins))
