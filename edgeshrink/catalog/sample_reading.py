"""From a folder of pictures, arrays or text to samples, divided into those to calibrate and those to evaluate with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeshrink.catalog.sample_arrays import SUFFIX as ARRAYS
from edgeshrink.catalog.sample_arrays import read_arrays
from edgeshrink.catalog.sample_gathering import Tick, no_tick
from edgeshrink.catalog.sample_images import SUFFIXES as IMAGES
from edgeshrink.catalog.sample_images import read_images
from edgeshrink.catalog.sample_texts import SUFFIX as TEXT
from edgeshrink.catalog.sample_texts import read_texts
from edgeshrink.catalog.samples import Samples
from edgeshrink.core.network import NetworkFacts
from edgeshrink.errors import DataError

Preprocess = Callable[[Any], Any]
_KINDS = (
    "pictures (.jpg, .png) in a folder a class, .npz files with arrays by input name, or .txt files with a text a line"
)


def read_samples(
    folder: Path,
    facts: NetworkFacts,
    *,
    calibration_count: int,
    evaluation_count: int,
    seed: int = 0,
    preprocess: Preprocess | None = None,
    tick: Tick = no_tick,
) -> tuple[Samples, Samples]:
    """(to calibrate with, to evaluate with), which share no sample; deterministic in `seed`, classes in equal parts.

    `folder` may be a single .npz or .txt file. Samples of a network that hands on a state may lack that state: it is
    zero at the beginning, and what the network gave before after that. Fewer than asked for where they would be too
    large together, which their origin says. `tick` is called after each that is ready. DataError: nothing to read, an
    unreadable picture, arrays that are not the network's inputs, or fewer than two samples.
    """
    if not folder.exists():
        raise DataError(f"there are no samples at {folder}", hint=f"give {_KINDS}")
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else [folder]
    suffixes = {path.suffix.lower() for path in files}
    counts: dict[str, Any] = {"calibration": calibration_count, "evaluation": evaluation_count, "seed": seed}
    counts["tick"] = tick
    if ARRAYS in suffixes:
        read = read_arrays([path for path in files if path.suffix.lower() == ARRAYS], facts, folder, **counts)
    elif suffixes & set(IMAGES):
        pictures = [path for path in files if path.suffix.lower() in IMAGES]
        read = read_images(pictures, facts, folder, preprocess, **counts)
    elif TEXT in suffixes:
        read = read_texts([path for path in files if path.suffix.lower() == TEXT], facts, folder, **counts)
    else:
        raise DataError(f"{folder} holds no samples", hint=f"give a folder of {_KINDS}")
    if not read[1].items or (calibration_count and not read[0].items):
        raise DataError(
            f"{folder} holds too few samples: those to calibrate with and those to evaluate with must not be the same",
            hint="give at least two, better some hundreds",
        )
    return read
