"""The GGML tensor types that edgeshrink writes: how many weights a block holds and how many bytes it takes.

Source: the block structures of ggml (`ggml-common.h`); tests compare the table with gguf-py's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.errors import PlanError


@dataclass(frozen=True, slots=True)
class QuantType:
    """One GGML tensor type."""

    name: str
    ggml_id: int
    block_elements: int
    block_bytes: int

    @property
    def bits_per_weight(self) -> float:
        return 8 * self.block_bytes / self.block_elements

    @property
    def is_quantized(self) -> bool:
        return self.block_elements > 1

    def takes_row(self, row_elements: int) -> bool:
        return row_elements % self.block_elements == 0

    def row_bytes(self, row_elements: int) -> int:
        return row_elements // self.block_elements * self.block_bytes


_TABLE = (
    QuantType("F32", 0, 1, 4),
    QuantType("F16", 1, 1, 2),
    QuantType("Q4_0", 2, 32, 18),
    QuantType("Q4_1", 3, 32, 20),
    QuantType("Q5_0", 6, 32, 22),
    QuantType("Q5_1", 7, 32, 24),
    QuantType("Q8_0", 8, 32, 34),
    QuantType("Q2_K", 10, 256, 84),
    QuantType("Q3_K", 11, 256, 110),
    QuantType("Q4_K", 12, 256, 144),
    QuantType("Q5_K", 13, 256, 176),
    QuantType("Q6_K", 14, 256, 210),
    QuantType("IQ4_NL", 20, 32, 18),
    QuantType("IQ4_XS", 23, 256, 136),
    QuantType("BF16", 30, 1, 2),
)

QUANT_TYPES: dict[str, QuantType] = {entry.name: entry for entry in _TABLE}


def quant_type(name: str) -> QuantType:
    """The type of that name, in any case; PlanError lists the known ones."""
    found = QUANT_TYPES.get(name.upper())
    if found is None:
        raise PlanError(f"unknown tensor type {name!r}", hint=f"known types: {', '.join(QUANT_TYPES)}")
    return found
