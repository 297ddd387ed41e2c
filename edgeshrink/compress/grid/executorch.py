"""The grids of ExecuTorch: symmetric 4 bits with a scale a group, or 8 bits with one a row, begun at torchao's scales.

Imports torch and torchao: for jobs only. XNNPACK's kernels round activations to 8 bits by row (`activations.of_rows`)
in the schemes 8da4w and 8da8w, so the student does that too; the bfloat16 that scales of groups are kept in there is
rounded to in the forward pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchao.quantization import IntxWeightOnlyConfig, quantize_
from torchao.quantization.granularity import PerAxis, PerGroup

from edgeshrink.catalog.grid_codes import CODES, SCALES
from edgeshrink.compress.grid.activations import of_rows, round_before
from edgeshrink.compress.grid.affine import Affine, AffineGrid
from edgeshrink.compress.grid.scale_search import searched
from edgeshrink.compress.grid.tensor_grid import TensorGrid
from edgeshrink.errors import PlanError

_EMBEDDING, _HEAD = "model.embed_tokens.weight", "lm_head.weight"
_GROUPED = re.compile(r"i4g(?P<group>\d+)(?P<wide>f?)")
_DYNAMIC = ("8da4w", "8da8w")


class ExecuTorchGrid(AffineGrid):
    """Pieces: CODES int8 (rows, columns), SCALES float32 (rows, groups), rounded to what the file keeps."""

    def pieces(self, latent: Tensor) -> Mapping[str, NDArray[Any]]:
        codes, scales, _ = self.affine_codes(latent)
        return {CODES: codes.astype(np.int8).reshape(len(codes), -1), SCALES: scales}


def build(student: Any, parameters: Mapping[str, Any]) -> dict[str, TensorGrid]:
    """A grid for each tensor of `parameters["tensors"]`; a head that is tied to a table of another type has its own."""
    tensors, dynamic = parameters["tensors"], parameters["scheme"] in _DYNAMIC
    weights = dict(student.named_parameters(remove_duplicate=False))
    grids: dict[str, TensorGrid] = {
        name: ExecuTorchGrid(type, _start(weights[name].detach(), type, narrow=dynamic), weights[name].device)
        for name, type in tensors.items()
    }
    if dynamic:
        linear = [name for name in tensors if name != _EMBEDDING]
        round_before(student, linear, of_rows, head=_HEAD in tensors)
    return grids


def _start(weight: Tensor, type: str, *, narrow: bool) -> Affine:
    """torchao's own scales, of groups the share of them that rounds best. `narrow`: XNNPACK's, which keeps those of
    groups in bfloat16."""
    grouped = _GROUPED.fullmatch(type)
    if grouped is None and type != "i8row":
        raise PlanError(f"ExecuTorch has no weights of type {type!r}")
    holder = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    holder.weight = nn.Parameter(weight.cpu(), requires_grad=False)
    if grouped is None:
        quantize_(holder, IntxWeightOnlyConfig(weight_dtype=torch.int8, granularity=PerAxis(0)))
        return Affine(_scales(holder), None, -128, 127, weight.shape[1])
    group = int(grouped["group"])
    quantize_(holder, IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(group)))
    stored = torch.bfloat16 if narrow and not grouped["wide"] else torch.float32
    return searched(weight, Affine(_scales(holder), None, -8, 7, group, stored))


def _scales(holder: nn.Linear) -> NDArray[np.float32]:
    found: NDArray[np.float32] = holder.weight.scale.float().reshape(len(holder.weight), -1).numpy()
    return found
