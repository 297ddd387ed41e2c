"""The tensor types that edgeshrink writes: how many weights a block holds, how many bytes it takes, and what a row
has beside its blocks (scales, zero points, sums).

GGML's come from the block structures of ggml (`ggml-common.h`); tests compare them with gguf-py's own. Those of the
other formats say in a comment where their bytes lie in the file.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.errors import PlanError


@dataclass(frozen=True, slots=True)
class StorageType:
    """How the weights of one tensor are stored: blocks of equal size, and what a row has beside them."""

    name: str
    block_elements: int
    block_bytes: int
    row_extra_bytes: int = 0

    @property
    def bits_per_weight(self) -> float:
        return 8 * self.block_bytes / self.block_elements

    @property
    def is_quantized(self) -> bool:
        return self.bits_per_weight < 16

    def takes_row(self, row_elements: int) -> bool:
        return row_elements % self.block_elements == 0

    def row_bytes(self, row_elements: int) -> int:
        return row_elements // self.block_elements * self.block_bytes + self.row_extra_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantType(StorageType):
    """One GGML tensor type."""

    ggml_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaddedBlocks(StorageType):
    """Rows filled up to whole blocks; `zero_point_bits` of each block are packed at the end of the row."""

    zero_point_bits: int = 0

    def takes_row(self, row_elements: int) -> bool:
        return True

    def row_bytes(self, row_elements: int) -> int:
        blocks = -(-row_elements // self.block_elements)
        return blocks * self.block_bytes + -(-blocks * self.zero_point_bits // 8)


def _onnx(name: str, block: int, bits: int, scale_bytes: int, zero_point_bits: int = 0) -> StorageType:
    return PaddedBlocks(name, block, block * bits // 8 + scale_bytes, zero_point_bits=zero_point_bits)


def _ggml(name: str, ggml_id: int, block_elements: int, block_bytes: int) -> QuantType:
    return QuantType(name, block_elements, block_bytes, ggml_id=ggml_id)


_TABLE = (
    _ggml("F32", 0, 1, 4),
    _ggml("F16", 1, 1, 2),
    _ggml("Q4_0", 2, 32, 18),
    _ggml("Q4_1", 3, 32, 20),
    _ggml("Q5_0", 6, 32, 22),
    _ggml("Q5_1", 7, 32, 24),
    _ggml("Q8_0", 8, 32, 34),
    _ggml("Q2_K", 10, 256, 84),
    _ggml("Q3_K", 11, 256, 110),
    _ggml("Q4_K", 12, 256, 144),
    _ggml("Q5_K", 13, 256, 176),
    _ggml("Q6_K", 14, 256, 210),
    _ggml("IQ4_NL", 20, 32, 18),
    _ggml("IQ4_XS", 23, 256, 136),
    _ggml("BF16", 30, 1, 2),
)

QUANT_TYPES: dict[str, QuantType] = {entry.name: entry for entry in _TABLE}


def quant_type(name: str) -> QuantType:
    """The type of that name, in any case; PlanError lists the known ones."""
    found = QUANT_TYPES.get(name.upper())
    if found is None:
        raise PlanError(f"unknown tensor type {name!r}", hint=f"known types: {', '.join(QUANT_TYPES)}")
    return found


# Types of ExecuTorch and ONNX files. A comment says where the bytes lie.
_OTHERS: tuple[StorageType, ...] = (
    # ExecuTorch, XNNPACK's linear layers: packed int4 and one bfloat16 scale per group, as two pieces of named data.
    StorageType("i4g32", 32, 18),
    StorageType("i4g64", 64, 34),
    StorageType("i4g128", 128, 66),
    StorageType("i4g256", 256, 130),
    # ExecuTorch, embedding tables among the program's constants, and Vulkan's linear layers: the scales are float32.
    StorageType("i4g32f", 32, 20),
    StorageType("i4g64f", 64, 36),
    StorageType("i4g128f", 128, 68),
    StorageType("i4g256f", 256, 132),
    # ExecuTorch: int8 and one float32 scale per row; named data in a linear layer, a constant in an embedding table.
    StorageType("i8row", 1, 1, row_extra_bytes=4),
)

_ONNX_BLOCKS = (16, 32, 64, 128, 256)
# ONNX Runtime's MatMulNBits and GatherBlockQuantized: three tensors of model.onnx.data, which are the codes (uint8,
# rows padded to whole blocks), a scale a block (float32; float16, "h", where the graph computes in it) and, for "z",
# a zero point a block, packed like the codes. Without one, codes lie around 8 or 128.
_ONNX: tuple[StorageType, ...] = tuple(
    _onnx(f"int{bits}{'z' if zero else ''}{'h' if scale == 2 else ''}/{block}", block, bits, scale, bits if zero else 0)
    for block in _ONNX_BLOCKS
    for bits in (4, 8)
    for zero in (True, False)
    for scale in (4, 2)
)

STORAGE_TYPES: dict[str, StorageType] = {**QUANT_TYPES, **{entry.name: entry for entry in (*_OTHERS, *_ONNX)}}


def storage_type(name: str) -> StorageType:
    """The type of exactly that name, of whatever format; PlanError lists the known ones."""
    found = STORAGE_TYPES.get(name)
    if found is None:
        raise PlanError(f"unknown tensor type {name!r}", hint=f"known types: {', '.join(STORAGE_TYPES)}")
    return found
