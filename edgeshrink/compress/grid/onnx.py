"""The grids of ONNX Runtime's MatMulNBits and GatherBlockQuantized: 4 or 8 bits and a scale a block, begun at what a
build would write; of 4 bits, the scales near that which round best. Imports torch and onnxruntime: for jobs only.

On a CPU its kernels round activations to 8 bits by block (`activations.of_blocks`), so the student does that too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeshrink.catalog.grid_codes import CODES, SCALES, ZEROS, packed
from edgeshrink.compress.grid.activations import of_blocks, round_before
from edgeshrink.compress.grid.affine import Affine, AffineGrid
from edgeshrink.compress.grid.onnx_search import EMBEDDING, HEAD, Found, search, search_of
from edgeshrink.compress.grid.scale_search import searched
from edgeshrink.compress.grid.tensor_grid import TensorGrid
from edgeshrink.errors import PlanError

_TYPE = re.compile(r"int(?P<bits>[48])(?P<zeros>z?)(?P<half>h?)/(?P<block>\d+)")


class OnnxGrid(AffineGrid):
    """Pieces as they lie in model.onnx.data: CODES uint8 (rows, blocks, bytes), SCALES (rows, blocks), and ZEROS uint8
    (rows, bytes) where the type has them."""

    def __init__(self, type: str, start: Affine, device: torch.device) -> None:
        told = _told(type)
        self._bits, self._has_zeros = int(told["bits"]), bool(told["zeros"])
        super().__init__(type, start, device)

    def pieces(self, latent: Tensor) -> Mapping[str, NDArray[Any]]:
        codes, scales, zeros = self.affine_codes(latent)
        found: dict[str, NDArray[Any]] = {
            CODES: packed(codes, self._bits),
            SCALES: scales.astype(np.float16 if self._stored == torch.float16 else np.float32),
        }
        return {**found, ZEROS: packed(zeros, self._bits)} if self._has_zeros else found


def build(student: Any, parameters: Mapping[str, Any]) -> dict[str, TensorGrid]:
    """A grid for each tensor of `parameters["tensors"]`, on a student that reads activations as the kernels do."""
    tensors, settings = parameters["tensors"], dict(parameters["settings"])
    weights = dict(student.named_parameters(remove_duplicate=False))
    tied = weights[EMBEDDING] is weights[HEAD]
    grids: dict[str, TensorGrid] = {}
    for name, type in tensors.items():
        told = _told(type)
        algorithm = search_of(name, parameters["scheme"], str(settings.get("algorithm", "k_quant")), tied=tied)
        weight = weights[name].detach()
        start = _start(search(algorithm, weight.cpu().numpy(), int(told["bits"]), int(told["block"])), told)
        if told["bits"] == "4":
            start = searched(weight, start, move_zeros=bool(told["zeros"]))
        grids[name] = OnnxGrid(type, start, weight.device)
    if not any(_told(type)["half"] for type in tensors.values()):
        block = int(settings["block_size"])
        round_before(student, tensors, lambda values: of_blocks(values, block), head=tied or HEAD in tensors)
    return grids


def _start(found: Found, told: Mapping[str, str]) -> Affine:
    middle = 1 << (int(told["bits"]) - 1)
    zeros = np.full(found.scales.shape, middle, np.int32) if found.zeros is None else found.zeros.astype(np.int32)
    stored = torch.float16 if told["half"] else torch.float32
    return Affine(found.scales, zeros, 0, 2 * middle - 1, int(told["block"]), stored)


def _told(type: str) -> Mapping[str, str]:
    found = _TYPE.fullmatch(type)
    if found is None:
        raise PlanError(f"ONNX Runtime has no weights of type {type!r}")
    return found.groupdict()
