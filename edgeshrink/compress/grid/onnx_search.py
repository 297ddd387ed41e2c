"""The scales and zero points that a build of an ONNX begins with, from the very functions that it quantizes with.

Imports onnxruntime: for jobs only. A block stands for itself, so a matrix may be searched slice by slice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.importance import Floats
from edgeshrink.planning.eight_bit_rows import eight_bit_rows

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
Search: TypeAlias = Literal["k_quant", "rtn", "mlas", "table"]
_BLOCKS_AT_ONCE = 1 << 14


@dataclass(frozen=True, slots=True)
class Found:
    """`scales` (rows, blocks); `zeros` the same, None: the middle code everywhere."""

    scales: Floats = field(repr=False)
    zeros: NDArray[np.uint8] | None = field(repr=False)


def search_of(name: str, scheme: str, algorithm: str, *, tied: bool) -> Search:
    """Which of them a build quantizes the weight `name` with, as `export.onnx.language_job` tells the builder."""
    if name == EMBEDDING and not tied:
        return "table"
    if scheme == "int8":
        return "mlas"
    return "k_quant" if algorithm == "k_quant" else "rtn"


def search(kind: Search, weight: Floats, bits: int, block: int) -> Found:
    """For `weight` (rows, columns); rows are filled up with zeros to whole blocks."""
    if kind == "table":
        return Found(eight_bit_rows(weight, block)[1], None)
    if kind == "mlas":
        return Found(_mlas(weight, bits, block), None)
    return _blockwise(kind, weight, bits, block)


def _blockwise(kind: Search, weight: Floats, bits: int, block: int) -> Found:
    from onnxruntime.quantization.neural_compressor import weight_only

    rows, columns = weight.shape
    blocks = np.pad(weight, ((0, 0), (0, -columns % block))).reshape(-1, block)
    scales, zeros = np.empty(len(blocks), np.float32), np.empty(len(blocks), np.uint8)
    for start in range(0, len(blocks), _BLOCKS_AT_ONCE):
        part = slice(start, start + _BLOCKS_AT_ONCE)
        found: tuple[Any, Any, Any]
        if kind == "k_quant":
            with np.errstate(all="ignore"):  # a block of one value has no second one to divide by
                found = weight_only.quant_tensor_k_quant_cpu(blocks[part], bits, block)
        else:
            found = weight_only.quant_tensor(blocks[part], bits, block, "sym", "uint")
        scales[part], zeros[part] = found[1].ravel(), found[2].ravel()
    return Found(scales.reshape(rows, -1), zeros.reshape(rows, -1) if kind == "k_quant" else None)


def _mlas(weight: Floats, bits: int, block: int) -> Floats:
    """Round to nearest, with a sign in the scale: what is farthest from 0 falls on the lowest code."""
    from onnxruntime.capi import _pybind_state as mlas

    rows, columns = weight.shape
    blocks = -(-columns // block)
    turned = np.ascontiguousarray(np.pad(weight, ((0, 0), (0, blocks * block - columns))).T)
    codes, scales = np.zeros((rows, blocks, block * bits // 8), np.uint8), np.zeros((rows, blocks), np.float32)
    zeros = np.zeros((rows, -(-blocks * bits // 8)), np.uint8)
    function = mlas.quantize_matmul_8bits if bits == 8 else mlas.quantize_matmul_4bits
    function(codes, turned, scales, zeros, block, rows, columns, True)
    return scales
