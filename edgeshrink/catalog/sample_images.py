"""Samples from pictures: a folder a class, or pictures without classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeshrink.catalog.sample_gathering import Role, Tick, gather, no_tick
from edgeshrink.catalog.samples import Sample, Samples, describe, divide, fits
from edgeshrink.core.network import NetworkFacts, Port
from edgeshrink.errors import DataError, ToolMissing

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def read_images(
    pictures: list[Path],
    facts: NetworkFacts,
    folder: Path,
    preprocess: Callable[[Any], Any] | None,
    *,
    calibration: int,
    evaluation: int,
    seed: int,
    tick: Tick = no_tick,
) -> tuple[Samples, Samples]:
    """See `sample_reading.read_samples`. A picture's class is the name of the folder directly in `folder` it lies in;
    where all lie in `folder` itself, none has a class."""
    port = _port(facts)
    if preprocess is None:
        raise DataError(
            f"{facts.source.given} does not say how a picture becomes its input {port.name}",
            hint="give .npz files with that array, a preprocessor_config.json beside the model, or a preprocess in "
            "edgeshrink.TorchNetwork",
        )
    places = [picture.relative_to(folder).parts for picture in pictures]
    if all(len(parts) > 2 for parts in places):
        inner = sorted({parts[0] for parts in places})
        raise DataError(
            f"the pictures in {folder} lie deeper than one folder a class", hint=f"give {folder / inner[0]}"
        )
    labelled = all(len(parts) == 2 for parts in places)
    classes = tuple(sorted({parts[0] for parts in places})) if labelled else ()
    groups: dict[str, list[tuple[Path, int | None]]] = {}
    for picture, parts in zip(pictures, places, strict=True):
        name = parts[0] if labelled else ""
        groups.setdefault(name, []).append((picture, classes.index(name) if labelled else None))
    first, second = divide(list(groups.values()), calibration=calibration, evaluation=evaluation, seed=seed)
    kind = f"pictures of {len(classes)} classes in {folder.name}" if labelled else f"pictures in {folder.name}"

    def part(role: Role, chosen: Sequence[tuple[Path, int | None]]) -> Samples:
        made = (Sample({port.name: _read(picture, port, preprocess)}, label) for picture, label in chosen)
        return gather(role, made, len(chosen), kind, classes, tick=tick)

    return part("calibration", first), part("evaluation", second)


def _port(facts: NetworkFacts) -> Port:
    ports = facts.inputs
    if len(ports) != 1 or len(ports[0].shape) != 4 or not ports[0].dtype.startswith("float"):
        raise DataError(
            f"{facts.source.given} does not take one picture: its inputs are {', '.join(map(describe, ports))}",
            hint="give .npz files with arrays by input name",
        )
    return ports[0]


def _read(picture: Path, port: Port, preprocess: Callable[[Any], Any]) -> np.ndarray[Any, Any]:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as problem:
        raise ToolMissing("reading pictures needs Pillow", hint="pip install pillow") from problem
    try:
        with Image.open(picture) as image:
            image.load()
            found = preprocess(image)
    except (OSError, UnidentifiedImageError, SyntaxError, Image.DecompressionBombError) as problem:
        raise DataError(
            f"{picture} cannot be read as a picture: {problem}", hint="remove it, or replace it"
        ) from problem
    except DataError:
        raise
    except Exception as problem:
        raise DataError(
            f"the network's preprocess failed on {picture}: {type(problem).__name__}: {problem}"
        ) from problem
    array = np.asarray(found)
    if array.dtype != np.dtype(port.dtype) or not fits(port, (1, *array.shape)):
        raise DataError(
            f"preprocess makes {array.dtype} {' x '.join(map(str, array.shape))} of {picture.name}, and the network "
            f"takes {describe(port)}",
            hint="return the array of the input without its first dimension, in its type",
        )
    return array[None]
