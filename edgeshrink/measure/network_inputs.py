"""Which of the samples a network is timed on: one of the shortest, of the median and of the longest.

A sample file is what `catalog.samples.save_samples` wrote: arrays named "00012/pixel_values", one folder a sample.
Shapes are read from the arrays' headers, so a large file costs no memory.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.sample_random import random_array
from edgeshrink.catalog.sample_states import state_pairs
from edgeshrink.catalog.samples import Sample, Samples, save_samples
from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.runtimes.interface import NetworkSession
from edgeshrink.runtimes.network_session import run_in_order

RANDOM_NOTE = "inputs are random numbers, not real ones"
_SEED = 20211
_SIZES = (64, 32, 16, 8, 4, 2, 1, 128, 256, 512)

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """One sample: `index` is its folder in the file; `shapes` as a report says them ("input_ids 1x16")."""

    index: str
    shapes: str


def choose_samples(path: Path) -> tuple[Chosen, ...]:
    """The first sample of the smallest, the median and the largest set of shapes, smallest first; fewer where there
    are fewer. DataError where the file is no sample file."""
    firsts: dict[tuple[tuple[str, tuple[int, ...]], ...], str] = {}
    for index, shapes in sorted(_shapes(path).items()):
        firsts.setdefault(tuple(sorted(shapes.items())), index)
    if not firsts:
        raise DataError(f"{path} holds no samples", hint="its arrays are named as in 00000/input_ids")
    ordered = sorted(firsts, key=lambda entry: sum(math.prod(shape) for _, shape in entry))
    places = sorted({0, (len(ordered) - 1) // 2, len(ordered) - 1})
    return tuple(Chosen(firsts[ordered[place]], _words(ordered[place])) for place in places)


def draw_samples(session: NetworkSession, path: Path) -> None:
    """Write one sample of seeded random inputs to `path`, states left out.

    Dynamic dimensions are 1 where they stand first, else 64, or the power of two nearest below it, or else above, that
    the network takes. RuntimeFailed, with the words of the first refusal, where it takes none.
    """
    states = state_pairs(session.inputs, session.outputs)
    ports = [port for port in session.inputs if port.name not in states]
    leading = {port.shape[0] for port in session.inputs if port.shape and isinstance(port.shape[0], str)}
    refusal: RuntimeFailed | None = None
    for size in _SIZES:
        sizes = {name: 1 if name in leading else size for port in ports for name in port.shape if isinstance(name, str)}
        rng = np.random.default_rng(_SEED)
        sample = Sample({port.name: random_array(port, sizes, rng) for port in ports})
        try:
            next(run_in_order(session, (sample,)))
        except RuntimeFailed as error:
            refusal = refusal or error
            continue
        save_samples(path, Samples((sample,), RANDOM_NOTE))
        return
    assert refusal is not None
    raise refusal


def read_inputs(path: Path, index: str) -> dict[str, NDArray[Any]]:
    """The inputs of one sample by name."""
    with np.load(path, allow_pickle=False) as archive:
        names = [name for name in archive.files if name.startswith(f"{index}/")]
        return {name.partition("/")[2]: archive[name] for name in names}


def _shapes(path: Path) -> dict[str, dict[str, tuple[int, ...]]]:
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.namelist():
                index, _, name = entry.removesuffix(".npy").partition("/")
                if name:
                    found.setdefault(index, {})[name] = _header_shape(archive, entry)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is no sample file: {error}", hint="it is a .npz of arrays by sample and input"
        ) from error
    return found


def _header_shape(archive: zipfile.ZipFile, entry: str) -> tuple[int, ...]:
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, _ = read(stream)
    return tuple(shape)


def _words(entry: tuple[tuple[str, tuple[int, ...]], ...]) -> str:
    return ", ".join(f"{name} {'x'.join(map(str, shape)) or 'scalar'}" for name, shape in entry)
