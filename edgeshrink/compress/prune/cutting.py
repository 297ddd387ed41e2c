"""The smaller model as a Hugging Face folder: kept rows and columns of each tensor, streamed, and config.json to match.

numpy only; every number that is kept is the source's, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.compress.prune.cuts import check_cut
from edgeshrink.compress.prune.folder import NewTensor, row_blocks, write_folder
from edgeshrink.compress.prune.tensor_cuts import TensorCut, tensor_cuts
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.model import ModelFacts, SourceTensor
from edgeshrink.core.shape import Cut, Shape
from edgeshrink.planning.layout import check_source, layout
from edgeshrink.planning.shrink.shaped import shaped_config

__all__ = ["apply_cut", "check_cut", "cut_config"]


def apply_cut(facts: ModelFacts, cut: Cut, out: Path, *, listener: Listener = silent) -> None:
    """Write what `cut` keeps of the model into the folder `out`, in the source's dtypes, with its tokenizer files.

    PlanError where the cut does not fit the model, DataError where its files are not what config.json says, NoSpace.
    """
    check_cut(facts, cut)
    check_source(facts, layout(facts))
    there = {tensor.name: tensor for tensor in facts.tensors}
    parts = tuple(tensor_cuts(facts, cut))
    tensors = [NewTensor(part.name, part.shape(there[part.source].shape), there[part.source].dtype) for part in parts]
    write_folder(
        out,
        cut_config(facts, cut),
        tensors,
        lambda index: _kept(there[parts[index].source], parts[index]),
        like=facts,
        listener=listener,
    )


def cut_config(facts: ModelFacts, cut: Cut) -> dict[str, Any]:
    """config.json of the smaller model: sizes replaced, `head_dim` told, what is said by layer kept for kept layers."""
    return shaped_config(facts, cut.shape(Shape.of(facts)), cut.layers)


def _kept(tensor: SourceTensor, part: TensorCut) -> Iterator[NDArray[np.float32]]:
    """The kept numbers of `tensor`, block by block of its rows."""
    width = tensor.shape[-1]
    total = tensor.shape[0] if len(tensor.shape) == 2 else 1
    for first, last in row_blocks(total, width):
        rows = None
        if part.rows is not None:
            low, high = np.searchsorted(part.rows, (first, last))
            if low == high:
                continue
            rows = part.rows[low:high] - first
        block = read_rows(tensor, first, last)
        block = block if rows is None else block[rows]
        yield block if part.columns is None else block[:, part.columns]
