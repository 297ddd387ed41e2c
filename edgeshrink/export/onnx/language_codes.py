"""The codes that a model was trained for, in the graph that the model builder made, and the proof from a finished file.

Only a child process imports this. The builder writes queries, keys and values into one matrix, one under the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgeshrink.catalog.grid import read_piece
from edgeshrink.catalog.grid_codes import CODES, SCALES, ZEROS, trained_for
from edgeshrink.core.grid import Grid, GridTensor
from edgeshrink.errors import StepFailed

Emit = Callable[[dict[str, object]], None]

_TABLE, _HEAD = "model.embed_tokens.weight", "lm_head.weight"
_PRODUCT = re.compile(r"/model/layers\.(?P<layer>\d+)/(?P<part>attn|mlp)/(?P<name>\w+)/MatMul(_Q\d)?")
_HEAD_PRODUCT = re.compile(r"/lm_head/MatMul(_Q\d)?")
_BLOCKS = {"attn": "self_attn", "mlp": "mlp"}
_PACKED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the graph keeps the weights `names`, one under the other: its initializer of each piece."""

    names: tuple[str, ...]
    pieces: Mapping[str, ir.Value] = field(repr=False)


def job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """`file`, `trained` (a folder) -> {"wrong": the weights whose codes in the file are others}."""
    grid = trained_for(Path(parameters["trained"]))
    return {"wrong": differing(ir.load(parameters["file"]), grid)}


def set_codes(model: ir.Model, grid: Grid) -> None:
    """Put them in the place of what the builder rounded. StepFailed where one has no place, or none of its shape."""
    for place in _places(model, grid):
        for piece, value in place.pieces.items():
            found = _stacked(grid, place.names, piece)
            held = value.const_value
            if held is None or found.size != held.size or found.dtype != held.numpy().dtype:
                raise StepFailed(
                    f"the {piece} of {' and '.join(place.names)} are {_told(found)} as they were trained, and the "
                    f"model builder wrote {None if held is None else _told(held.numpy())}",
                    hint="its version is not the tested one?",
                )
            value.const_value = ir.tensor(found.reshape(tuple(held.shape)), name=value.name)


def differing(model: ir.Model, grid: Grid) -> list[str]:
    """The weights of the grid whose codes, scales or zeros in the file are others."""
    wrong: list[str] = []
    for place in _places(model, grid):
        for piece, value in place.pieces.items():
            found = _stacked(grid, place.names, piece)
            held = None if value.const_value is None else value.const_value.numpy()
            if held is None or held.dtype != found.dtype or held.tobytes() != found.tobytes():
                wrong.extend(name for name in place.names if name not in wrong)
    return wrong


def _places(model: ir.Model, grid: Grid) -> Iterator[Place]:
    """One for every weight of the grid. StepFailed where the graph lacks one."""
    tensors = {tensor.name: tensor for tensor in grid.tensors}
    found: set[str] = set()
    for node in model.graph:
        names = _names(node, tied=_HEAD not in tensors)
        if names and all(name in tensors for name in names):
            found.update(names)
            yield Place(names, dict(_pieces(node, tensors[names[0]])))
    missing = sorted(tensors.keys() - found)
    if missing:
        raise StepFailed(
            f"the graph has no quantized matrix for {missing[0]}", hint="the model builder's version is another one?"
        )


def _names(node: ir.Node, *, tied: bool) -> tuple[str, ...]:
    """The weights that a node multiplies with, or looks up; of a tied table the product is the one that holds it."""
    if node.op_type == "GatherBlockQuantized":
        return () if tied else (_TABLE,)
    if node.op_type != "MatMulNBits":
        return ()
    if _HEAD_PRODUCT.fullmatch(node.name or ""):
        return (_TABLE if tied else _HEAD,)
    told = _PRODUCT.fullmatch(node.name or "")
    if told is None:
        return ()
    prefix = f"model.layers.{told['layer']}.{_BLOCKS[told['part']]}."
    return tuple(f"{prefix}{name}.weight" for name in _PACKED.get(told["name"], (told["name"],)))


def _pieces(node: ir.Node, tensor: GridTensor) -> Iterator[tuple[str, ir.Value]]:
    """Both operators have codes, scales and zeros in this order; the lookup has its ids between the first two."""
    inputs = [value for value in node.inputs if value is not None]
    given = [inputs[0], *inputs[2:]] if node.op_type == "GatherBlockQuantized" else inputs[1:]
    kept = {piece[0] for piece in tensor.pieces}
    if len(given) < len(kept) or (ZEROS in kept) != (len(given) > 2):
        raise StepFailed(f"{node.name} has other inputs than its weights were trained with")
    return zip((CODES, SCALES, ZEROS), given, strict=False)


def _stacked(grid: Grid, names: tuple[str, ...], piece: str) -> NDArray[Any]:
    parts = [read_piece(grid, name, piece) for name in names]
    return np.concatenate([part.reshape(len(part), -1) for part in parts])


def _told(values: NDArray[Any]) -> str:
    return f"{values.dtype} {list(values.shape)}"
