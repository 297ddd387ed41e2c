"""Zeros in place of weights: a model of the same shape that compresses better and runs no faster. numpy only, streamed.

The matrices of the blocks are what becomes sparse; embeddings, norms and the output matrix stay, as in the papers.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.safetensors_headers import weight_files
from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.compress.prune import magnitude, two_four, wanda
from edgeshrink.compress.prune.folder import NewTensor, row_blocks, write_folder
from edgeshrink.compress.prune.scores import INPUTS, Scores
from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.core.model import ModelFacts, SourceTensor
from edgeshrink.core.shape import Shape
from edgeshrink.errors import PlanError
from edgeshrink.planning.layout import check_source, layout
from edgeshrink.planning.shrink.shaped import check_shape

SparseMethod = Literal["magnitude", "wanda", "2:4"]
MOST_ZEROS: Final = 0.95
_INPUT_OF = {part: name for name, parts in INPUTS.items() for part in parts}
_PIECE = 1 << 20
_LEVEL = 1  # six times as fast as the usual one, and within a tenth of its size
_ROUNDING = 0.005


@dataclass(frozen=True, slots=True)
class Sparsified:
    """`zeros`: share of all the model's parameters that are 0 now. `file_bytes` of its weights; `zip_bytes` of them
    deflated as a fast zip does, `zip_bytes_before` of the source's weights."""

    zeros: float
    file_bytes: int
    zip_bytes: int
    zip_bytes_before: int


def zeros_for(facts: ModelFacts, kept: float, method: SparseMethod) -> float:
    """The share of the blocks' matrices to zero so that `kept` of all parameters are left. PlanError where none is."""
    check_shape(facts, Shape.of(facts))
    plans = [plan for plan in layout(facts) if plan.source]
    total = sum(plan.elements for plan in plans)
    matrices = sum(plan.elements for plan in plans if _input_name(plan.source) is not None)
    zeros = (1 - kept) * total / matrices
    if method == "2:4":
        nearest = 1 - two_four.ZEROS / two_four.GROUP * matrices / total
        if abs(kept - nearest) > _ROUNDING:
            raise PlanError(
                f"2:4 leaves {nearest:.3f} of this model's parameters, {kept:.3f} were asked for",
                hint=f"ask for --params {nearest:.2f}, or choose magnitude or wanda",
            )
        return two_four.ZEROS / two_four.GROUP
    if not 0 <= zeros <= MOST_ZEROS:
        lowest = 1 - MOST_ZEROS * matrices / total
        raise PlanError(
            f"{kept:.3f} of this model's parameters cannot be reached with zeros in the matrices of its blocks alone",
            hint=f"from {lowest:.2f} to 1 can",
        )
    return zeros


def sparsify(
    facts: ModelFacts,
    out: Path,
    *,
    method: SparseMethod,
    zeros: float,
    scores: Scores | None = None,
    listener: Listener = silent,
) -> Sparsified:
    """Write the model into the folder `out` with `zeros` of its blocks' matrices set to 0 by `method`.

    wanda needs `scores` with `inputs`, 2:4 uses them where they are there. PlanError where they are missing, are of
    another model, or a row is no multiple of four; DataError, NoSpace as `apply_cut`.
    """
    check_shape(facts, Shape.of(facts))
    plans = [plan for plan in layout(facts) if plan.source]
    check_source(facts, layout(facts))
    there = {tensor.name: tensor for tensor in facts.tensors}
    sources = [there[plan.source] for plan in plans]
    _refuse(method, zeros, scores, sources)
    counter = _Zeros()
    write_folder(
        out,
        facts.config,
        [NewTensor(tensor.name, tensor.shape, tensor.dtype) for tensor in sources],
        lambda index: counter.counting(_sparse(sources[index], method, zeros, scores)),
        like=facts,
        listener=listener,
    )
    files = weight_files(out)
    return Sparsified(
        zeros=counter.zeros / counter.numbers,
        file_bytes=sum(file.stat().st_size for file in files),
        zip_bytes=_deflated(files, listener),
        zip_bytes_before=_deflated(weight_files(facts.source.path), listener),
    )


class _Zeros:
    def __init__(self) -> None:
        self.zeros = self.numbers = 0

    def counting(self, blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        for block in blocks:
            self.numbers += block.size
            self.zeros += block.size - int(np.count_nonzero(block))
            yield block


def _blocks(tensor: SourceTensor) -> Iterator[NDArray[np.float32]]:
    rows = tensor.shape[0] if len(tensor.shape) == 2 else 1
    for first, last in row_blocks(rows, tensor.shape[-1]):
        yield read_rows(tensor, first, last)


def _sparse(
    tensor: SourceTensor, method: SparseMethod, zeros: float, scores: Scores | None
) -> Iterator[NDArray[np.float32]]:
    name = _input_name(tensor.name)
    if name is None:
        return _blocks(tensor)
    inputs = scores.inputs.get(name) if scores is not None else None
    seen = None if inputs is None else inputs[int(tensor.name.split(".")[2])]
    if method == "2:4":
        return map(partial(two_four.zeroed, inputs=seen), _blocks(tensor))
    if method == "wanda":
        assert seen is not None  # `_refuse` has seen to it
        return map(partial(wanda.zeroed, inputs=seen, share=zeros), _blocks(tensor))
    count = round(zeros * tensor.shape[0] * tensor.shape[1])
    return map(magnitude.threshold(_blocks(tensor), _blocks(tensor), count).zeroed, _blocks(tensor))


def _input_name(tensor: str) -> str | None:
    """The name in INPUTS of what enters that matrix of a block; None for other tensors."""
    place = tensor.split(".")
    if not tensor.startswith("model.layers.") or not tensor.endswith(".weight"):
        return None
    return _INPUT_OF.get(".".join(place[3:-1]))


def _refuse(method: SparseMethod, zeros: float, scores: Scores | None, tensors: list[SourceTensor]) -> None:
    if not 0 <= zeros <= 1:
        raise PlanError(f"zeros must be a share from 0 to 1, not {zeros:g}")
    if method == "wanda" and (scores is None or set(INPUTS) - set(scores.inputs)):
        raise PlanError("wanda needs the sizes of what enters each matrix", hint="score with the method wanda first")
    for tensor in tensors:
        name = _input_name(tensor.name)
        if name is None:
            continue
        if method == "2:4" and tensor.shape[-1] % two_four.GROUP:
            raise PlanError(f"{tensor.name} has rows of {tensor.shape[-1]}: 2:4 needs multiples of {two_four.GROUP}")
        if scores is not None and name in scores.inputs and scores.inputs[name].shape[1] != tensor.shape[-1]:
            raise PlanError("these scores are of a model of another shape", hint="score this model first")


def _deflated(files: tuple[Path, ...], listener: Listener) -> int:
    """Bytes of `files` as a fast zip would hold them."""
    total, done, found = sum(file.stat().st_size for file in files), 0, 0
    for file in files:
        deflate = zlib.compressobj(_LEVEL)
        with file.open("rb") as stream:
            while piece := stream.read(_PIECE):
                found += len(deflate.compress(piece))
                done += len(piece)
                listener(Progress("compressing, to tell its size", done, total, "bytes"))
        found += len(deflate.flush())
    return found
