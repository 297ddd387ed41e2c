"""A trained model as an ordinary Hugging Face folder: its source's files, names and types, with new numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from edgeshrink.compress.prune.folder import Blocks, NewTensor, row_blocks, write_folder
from edgeshrink.compress.training.stacked import held
from edgeshrink.core.events import silent
from edgeshrink.core.model import ModelFacts

_STACKS: Final = 2  # gate and up of all experts of a layer, and down
Whole = Callable[[str], Any]
"""A named parameter, brought together from all workers, as an array of float32; all workers ask in the same order."""


def write_model(facts: ModelFacts, out: Path, names: frozenset[str], whole: Whole, *, writes: bool) -> None:
    """The model of `facts` with new numbers in the folder `out`; every tensor in the type it has in the source.

    `names`: the parameters there are; what else the source holds (buffers that old versions saved) is left out. A
    worker that does not write (`writes` False) only takes part in bringing the tensors together. A mixture's experts
    become a tensor each, as they were.
    """
    places = {tensor.name: held(facts.model_type, tensor.name) for tensor in facts.tensors}
    tensors = [
        NewTensor(tensor.name, tensor.shape, tensor.dtype)
        for tensor in facts.tensors
        if places[tensor.name].parameter in names
    ]
    # Of a layer's stacked experts one tensor after the other is written.
    brought = lru_cache(maxsize=_STACKS)(whole)
    if not writes:
        for tensor in tensors:
            brought(places[tensor.name].parameter)
        return

    def values(index: int) -> Blocks:
        place = places[tensors[index].name]
        array = place.of(brought(place.parameter))
        for first, last in row_blocks(len(array), array[0].size):
            yield array[first:last]

    write_folder(out, facts.config, tensors, values, like=facts, listener=silent)
