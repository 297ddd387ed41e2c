"""The codes that a model was trained for, in the decoder before it is lowered, and the proof from a finished file.

Imports torch and executorch. Rows of queries and keys are sorted by halves of a head in the decoder (`decoder`), so
those of their codes are too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeshrink.catalog.grid import read_piece
from edgeshrink.catalog.grid_codes import CODES, SCALES, trained_for
from edgeshrink.core.grid import Grid
from edgeshrink.core.model import ModelFacts
from edgeshrink.errors import StepFailed
from edgeshrink.export.executorch.contents import piece_digests
from edgeshrink.export.executorch.decoder import Decoder
from edgeshrink.export.executorch.quantize import ByteEmbedding

Emit = Callable[[dict[str, object]], None]

_TABLE, _HEAD = "model.embed_tokens.weight", "lm_head.weight"
_WHOLE = {
    "self_attn.v_proj": "attention.v",
    "self_attn.o_proj": "attention.o",
    "mlp.gate_proj": "ffn.gate",
    "mlp.up_proj": "ffn.up",
    "mlp.down_proj": "ffn.down",
}
_TURNED = {"self_attn.q_proj": "attention.q", "self_attn.k_proj": "attention.k"}


@dataclass(frozen=True, slots=True)
class Trained:
    """One matrix of the decoder: `path` of its module, the weight it is of, `codes` int8 (rows, columns) and `scales`
    float32 (rows, groups), in the decoder's order of rows."""

    path: str
    name: str
    type: str
    codes: NDArray[np.int8] = field(repr=False)
    scales: NDArray[np.float32] = field(repr=False)

    @property
    def is_grouped(self) -> bool:
        return self.type.startswith("i4g")

    def code_bytes(self) -> bytes:
        """As XNNPACK's serializer and the lookup operators lay them out."""
        if not self.is_grouped:
            return self.codes.tobytes()
        nibbles = (self.codes + 8).astype(np.uint8)
        first, second = nibbles[:, ::2], nibbles[:, 1::2]
        low, high = (second, first) if self.name == _TABLE else (first, second)
        return np.ascontiguousarray(low | high << 4).tobytes()

    def scale_bytes(self) -> bytes:
        if self.is_grouped and not self.type.endswith("f"):
            halves: bytes = torch.from_numpy(self.scales).to(torch.bfloat16).view(torch.int16).numpy().tobytes()
            return halves
        return self.scales.tobytes()


def job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """`file`, `trained` (a folder), `heads`, `kv_heads` -> {"wrong": weights whose codes or scales are not in it}."""
    found = piece_digests(Path(parameters["file"]))
    grid = trained_for(Path(parameters["trained"]))
    wrong: list[str] = []
    for matrix in _matrices(grid, parameters["heads"], parameters["kv_heads"]):
        pieces = (matrix.code_bytes(), matrix.scale_bytes())
        if any(hashlib.sha256(piece).digest() not in found for piece in pieces) and matrix.name not in wrong:
            wrong.append(matrix.name)
    return {"wrong": wrong}


def set_codes(module: Decoder, grid: Grid, facts: ModelFacts) -> None:
    """In the place of what torchao rounded. StepFailed where a matrix of the grid is not quantized, or otherwise."""
    for matrix in _matrices(grid, facts.n_heads, facts.n_kv_heads):
        owner = module.get_submodule(matrix.path)
        if isinstance(owner, ByteEmbedding):
            _put(owner.codes, torch.frombuffer(bytearray(matrix.code_bytes()), dtype=owner.codes.dtype), matrix)
            _put(owner.scales, torch.from_numpy(matrix.scales), matrix)
        else:
            weight: Any = owner.weight
            if not hasattr(weight, "qdata"):
                raise StepFailed(f"{matrix.name} was trained as {matrix.type} and is not quantized in this file")
            _put(weight.qdata, torch.from_numpy(matrix.codes), matrix)
            _put(weight.scale, torch.from_numpy(matrix.scales), matrix)


def _put(held: Tensor, values: Tensor, matrix: Trained) -> None:
    if held.numel() != values.numel():
        raise StepFailed(f"{matrix.name} was trained as {matrix.type}, and this file has {list(held.shape)} of it")
    with torch.no_grad():
        held.copy_(values.reshape(held.shape).to(held.dtype))


def _matrices(grid: Grid, heads: int, kv_heads: int) -> Iterator[Trained]:
    """All that the grid holds, by the decoder's modules."""
    for tensor in grid.tensors:
        codes, scales = read_piece(grid, tensor.name, CODES), read_piece(grid, tensor.name, SCALES)
        for path, rows in _places(tensor.name, len(codes), heads, kv_heads):
            yield Trained(path, tensor.name, tensor.type, codes[rows], scales[rows])


def _places(name: str, rows: int, heads: int, kv_heads: int) -> Iterator[tuple[str, Any]]:
    """Modules that hold rows of the weight `name`, and which."""
    if name in (_TABLE, _HEAD):
        yield ("embedding" if name == _TABLE else "head"), slice(None)
        return
    _, _, number, block, layer, _ = name.split(".")
    part = f"{block}.{layer}"
    if part in _WHOLE:
        yield f"layers.{number}.{_WHOLE[part]}", slice(None)
    else:
        count = heads if part == "self_attn.q_proj" else kv_heads
        numbers = np.arange(rows).reshape(count, 2, -1)
        for half, side in enumerate(("low", "high")):
            yield f"layers.{number}.{_TURNED[part]}.{side}", numbers[:, half].ravel()
