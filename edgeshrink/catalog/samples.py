"""Samples: what a network is calibrated with and compared on. As values, and as one .npz file.

In the file: "00012/pixel_values" (an input of sample 12, batch dimension included) and "meta", a JSON text with the
labels, and which samples go on from the one before. It holds no pickle.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.network import Port
from edgeshrink.errors import DataError

_FORMAT = 1
_BROKEN = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)
_T = TypeVar("_T")


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


class StoredSamples(Sequence[Sample]):
    """The samples of a file that `save_samples` wrote, each read when it is asked for. To be closed (`with`)."""

    def __init__(self, path: Path, *, names: Sequence[str]) -> None:
        """`names` are the network's inputs. DataError, here or when one is read: the file is not whole."""
        self._path, self._names = path, tuple(names)
        self._file: Any = None
        try:
            opened = np.load(path, allow_pickle=False)
            if not isinstance(opened, np.lib.npyio.NpzFile):
                raise ValueError("no .npz")
            self._file, self._keys = opened, frozenset(opened.files)
            meta = json.loads(str(self._file["meta"]))
            if meta["format"] != _FORMAT:
                raise ValueError(f"format {meta['format']}")
            self.origin, self.classes = str(meta["origin"]), tuple(meta["classes"])
            self.labels: tuple[int | None, ...] = tuple(meta["labels"])
            self.begins: tuple[bool, ...] = tuple(meta["begins"])
            if len(self.labels) != len(self.begins):
                raise ValueError(f"{len(self.labels)} labels of {len(self.begins)} samples")
        except _BROKEN as problem:
            self.close()
            raise _broken(path, problem) from problem

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(len(self))[index])
        place = range(len(self))[index]
        keys = {name: f"{place:05d}/{name}" for name in self._names if f"{place:05d}/{name}" in self._keys}
        try:
            if not keys:
                raise ValueError(f"no arrays of sample {place}")
            arrays = {name: self._file[key] for name, key in keys.items()}
        except _BROKEN as problem:
            raise _broken(self._path, problem) from problem
        return Sample(arrays, self.labels[place], bool(self.begins[place]))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def samples_sha256(path: Path) -> str:
    """The digest of a file of samples, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_samples(path: Path, *, names: Sequence[str]) -> Samples:
    """All that `StoredSamples` would read, at once. Errors as there."""
    with StoredSamples(path, names=names) as stored:
        return Samples(tuple(stored), stored.origin, stored.classes)


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


def _broken(path: Path, problem: Exception) -> DataError:
    return DataError(f"{path} is not a file of samples: {problem}", hint="run the build again")
