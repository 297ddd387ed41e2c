"""The mixture with fewer, merged or narrower experts as a Hugging Face folder, streamed. numpy only.

A dropped expert's row leaves the router; that of a merged one is the average of its members' rows by their shares.
What is not merged keeps its numbers, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.compress.prune.experts.alignment import Matrices
from edgeshrink.compress.prune.experts.combining import Floats, combined, router_rows
from edgeshrink.compress.prune.experts.cut import ExpertCut, check_expert_cut, cut_width
from edgeshrink.compress.prune.experts.names import (
    ExpertTensor,
    expert_name,
    expert_tensor,
    experts_of,
    router_layer,
)
from edgeshrink.compress.prune.folder import NewTensor, row_blocks, write_folder
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.model import ModelFacts, SourceTensor
from edgeshrink.planning.layout import check_source, layout


def apply_expert_cut(facts: ModelFacts, cut: ExpertCut, out: Path, *, listener: Listener = silent) -> None:
    """Write what `cut` makes of the model into the folder `out`, in the source's dtypes, with its tokenizer files.

    PlanError where the cut does not fit the model, DataError where its files are not what config.json says, NoSpace.
    """
    check_expert_cut(facts, cut)
    check_source(facts, layout(facts))
    making = _Making(facts, cut)
    tensors = [new for held in facts.tensors for new in making.of(held)]
    write_folder(
        out,
        expert_cut_config(facts, cut),
        tensors,
        lambda index: making.values(tensors[index]),
        like=facts,
        listener=listener,
    )


def expert_cut_config(facts: ModelFacts, cut: ExpertCut) -> dict[str, Any]:
    """config.json of the smaller model."""
    _, names = experts_of(facts)
    counts = {key: cut.count for key in names.count if facts.config.get(key) is not None}
    return {**facts.config, **counts, names.ffn: cut_width(facts, cut)}


class _Making:
    """The new tensors of a model, each from the old ones it is made of."""

    def __init__(self, facts: ModelFacts, cut: ExpertCut) -> None:
        self._facts, self._cut = facts, cut
        self._there: Mapping[str, SourceTensor] = {tensor.name: tensor for tensor in facts.tensors}
        self._width = cut_width(facts, cut)
        # Gate, up and down of one expert follow each other in a file.
        self._made = lru_cache(maxsize=1)(self._combined)

    def of(self, held: SourceTensor) -> Iterator[NewTensor]:
        """What stands in the place of `held`: itself, a smaller one, or nothing."""
        expert = expert_tensor(self._facts, held.name)
        if expert is not None:
            if expert.expert < self._cut.count:
                rows, columns = held.shape
                shape = (rows, self._width) if expert.matrix == 2 else (self._width, columns)
                yield NewTensor(held.name, shape, held.dtype)
        elif router_layer(held.name) is not None:
            yield NewTensor(held.name, (self._cut.count, held.shape[1]), held.dtype)
        else:
            yield NewTensor(held.name, held.shape, held.dtype)

    def values(self, tensor: NewTensor) -> Iterator[Floats]:
        expert, layer = expert_tensor(self._facts, tensor.name), router_layer(tensor.name)
        held = self._there[tensor.name]
        if expert is not None:
            yield self._made(expert.layer, expert.expert)[expert.matrix]
        elif layer is not None:
            yield router_rows(read_rows(held), self._cut.layers[layer])
        else:
            total = held.shape[0] if len(held.shape) == 2 else 1
            for first, last in row_blocks(total, held.shape[-1]):
                yield read_rows(held, first, last)

    def _combined(self, layer: int, number: int) -> Matrices:
        return combined(self._cut.layers[layer][number], lambda member: self._read(layer, member))

    def _read(self, layer: int, number: int) -> Matrices:
        gate, up, down = (
            read_rows(self._there[expert_name(self._facts, ExpertTensor(layer, number, matrix))]) for matrix in range(3)
        )
        return gate, up, down
