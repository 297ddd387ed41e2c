"""What a float network says of the evaluation samples, stored once and compared with many times.

On disk: `index.json` (ports, scores, probes), `outputs.npz` ("00012/logits"), `probes.npz` (inputs at the smallest and
largest size of each dynamic dimension).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.networks import port_from_json, port_to_json
from edgeshrink.core.network import Port
from edgeshrink.errors import DataError

INDEX, OUTPUTS, PROBES = "index.json", "outputs.npz", "probes.npz"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Probe:
    """One run at other sizes than the samples': what it tries, and the shapes of the source's outputs there."""

    name: str
    shapes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class NetworkReference:
    """A stored reference. `scores` are the source's own, by its scorer, one a sample; None where it has none, and
    `unscored` says why. `unprobed` are sizes at which the source itself does not run, and how it failed."""

    folder: Path
    name: str
    count: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    scores: tuple[float, ...] | None
    unscored: str
    probes: tuple[Probe, ...]
    unprobed: tuple[str, ...]
    samples_sha256: str
    origin: str

    def open_outputs(self) -> Arrays:
        return Arrays(self.folder / OUTPUTS, [port.name for port in self.outputs])

    def open_probes(self) -> Arrays:
        return Arrays(self.folder / PROBES, [port.name for port in self.inputs])


class Arrays:
    """Numbered sets of arrays in an .npz file, read one at a time."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._path = path
        self._names = names
        try:
            self._file: Any = np.load(path, allow_pickle=False)
        except (OSError, ValueError, zipfile.BadZipFile) as problem:
            raise _broken(path, problem) from problem

    def __getitem__(self, index: int) -> dict[str, NDArray[Any]]:
        try:
            return {name: self._file[f"{index:05d}/{name}"] for name in self._names}
        except (KeyError, ValueError, zipfile.BadZipFile) as problem:
            raise _broken(self._path, problem) from problem

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class ArrayWriter:
    """Writes what `Arrays` reads, a set at a time: all outputs together may be larger than memory."""

    def __init__(self, path: Path) -> None:
        self._file = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)
        self._count = 0

    def add(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        for name, array in arrays.items():
            with self._file.open(f"{self._count:05d}/{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asarray(array), allow_pickle=False)
        self._count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def write_network_reference(reference: NetworkReference) -> None:
    """The last file of a reference: where it is, the others are whole."""
    content = {
        "format": _FORMAT,
        "name": reference.name,
        "count": reference.count,
        "inputs": [port_to_json(port) for port in reference.inputs],
        "outputs": [port_to_json(port) for port in reference.outputs],
        "scores": None if reference.scores is None else list(reference.scores),
        "unscored": reference.unscored,
        "probes": [{"name": probe.name, "shapes": probe.shapes} for probe in reference.probes],
        "unprobed": list(reference.unprobed),
        "samples_sha256": reference.samples_sha256,
        "origin": reference.origin,
    }
    (reference.folder / INDEX).write_text(json.dumps(content), encoding="utf-8")


def read_network_reference(folder: Path) -> NetworkReference:
    """The reference stored in `folder`; DataError where it is not whole."""
    path = folder / INDEX
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != _FORMAT:
            raise ValueError(f"format {found['format']}")
        return NetworkReference(
            folder=folder,
            name=found["name"],
            count=found["count"],
            inputs=tuple(port_from_json(port) for port in found["inputs"]),
            outputs=tuple(port_from_json(port) for port in found["outputs"]),
            scores=None if found["scores"] is None else tuple(found["scores"]),
            unscored=found["unscored"],
            probes=tuple(
                Probe(probe["name"], {name: tuple(shape) for name, shape in probe["shapes"].items()})
                for probe in found["probes"]
            ),
            unprobed=tuple(found["unprobed"]),
            samples_sha256=found["samples_sha256"],
            origin=found["origin"],
        )
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise _broken(path, problem) from problem


def _broken(path: Path, problem: Exception) -> DataError:
    return DataError(f"{path} is not a stored reference: {problem}", hint="run the build again")
