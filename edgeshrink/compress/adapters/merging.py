"""An adapter put into its base: an ordinary Hugging Face folder. numpy, streamed, no torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.compress.grid.rounded import Rounding
from edgeshrink.compress.prune.folder import NewTensor, float32_config, row_blocks, write_folder
from edgeshrink.core.adapter import Adapter, LowRank
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.model import ModelFacts, SourceTensor
from edgeshrink.errors import UnsupportedModel
from edgeshrink.planning.adapters import adapted_tensors
from edgeshrink.planning.layout import check_source, layout

Floats = NDArray[np.float32]


def merge(
    facts: ModelFacts,
    adapter: Adapter,
    out: Path,
    *,
    rounding: Rounding | None = None,
    threads: int = 1,
    listener: Listener = silent,
) -> None:
    """Write the folder `out`: the base of `facts` with every update of `adapter` added in float32, each tensor then in
    the type that it has in the base. With `rounding` the base is rounded first, as it was while the adapter was
    trained, and what is rounded or updated stays float32: the type of the source could not spell it.

    UnsupportedModel for a base that is a GGUF; DataError where the adapter does not fit it. NoSpace, StepFailed: the
    folder cannot be written.
    """
    if facts.source.kind != "huggingface":
        raise UnsupportedModel(
            f"{facts.source.given} is a GGUF, and an adapter is merged into a Hugging Face folder",
            hint="give the folder (or hub id) that the GGUF was made from",
        )
    check_source(facts, layout(facts))
    adapted_tensors(facts, adapter)
    updates = {update.weight: update for update in adapter.updates}

    def stays(tensor: SourceTensor) -> bool:
        return rounding is None or len(tensor.shape) < 2

    tensors = [NewTensor(held.name, held.shape, held.dtype if stays(held) else "F32") for held in facts.tensors]

    def values(index: int) -> Iterator[Floats]:
        held = facts.tensors[index]
        yield from _merged(held, updates.get(held.name), adapter.scale, rounding, threads)

    config = facts.config if rounding is None else float32_config(facts.config)
    write_folder(out, config, tensors, values, like=facts, listener=listener)


def _merged(
    held: SourceTensor, update: LowRank | None, scale: float, rounding: Rounding | None, threads: int
) -> Iterator[Floats]:
    """The tensor's new numbers, block by block of its rows."""
    rows = held.shape[0] if len(held.shape) > 1 else 1
    a = None if update is None else read_rows(update.a)
    for first, last in row_blocks(rows, held.shape[-1]):
        block = read_rows(held, first, last)
        if rounding is not None and len(held.shape) > 1:
            block = rounding.of(held.name, block, threads=threads)
        if update is not None and a is not None:
            block = block + np.float32(scale) * (read_rows(update.b, first, last) @ a)
        yield block
