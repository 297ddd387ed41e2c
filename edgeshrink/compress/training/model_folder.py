"""A trained model as an ordinary Hugging Face folder: its source's files, names and types, with new numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeshrink.compress.prune.folder import Blocks, NewTensor, row_blocks, write_folder
from edgeshrink.core.events import silent
from edgeshrink.core.model import ModelFacts

Whole = Callable[[str], Any]
"""A named parameter, brought together from all workers, as an array of float32; all workers ask in the same order."""


def write_model(facts: ModelFacts, out: Path, names: frozenset[str], whole: Whole, *, writes: bool) -> None:
    """The model of `facts` with new numbers in the folder `out`; every tensor in the type it has in the source.

    `names`: the parameters there are; what else the source holds (buffers that old versions saved) is left out. A
    worker that does not write (`writes` False) only takes part in bringing the tensors together.
    """
    tensors = [NewTensor(held.name, held.shape, held.dtype) for held in facts.tensors if held.name in names]
    if not writes:
        for tensor in tensors:
            whole(tensor.name)
        return

    def values(index: int) -> Blocks:
        array = whole(tensors[index].name)
        for first, last in row_blocks(len(array), array[0].size):
            yield array[first:last]

    write_folder(out, facts.config, tensors, values, like=facts, listener=silent)
