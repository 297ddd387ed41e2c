"""The quantization schemes people know by name: the type most weights take, and llama.cpp's number for the file.

Source: `llama_ftype` in llama.h, `llama_ftype_get_default_type` in llama-quant.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.core.quant_types import quant_type
from edgeshrink.errors import PlanError


@dataclass(frozen=True, slots=True)
class Scheme:
    """A preset. `file_type` goes into `general.file_type`; `bits_per_weight` is what Llama 3.1 8B comes to."""

    name: str
    type: str
    file_type: int
    bits_per_weight: float

    @property
    def quantizes(self) -> bool:
        return quant_type(self.type).is_quantized


_TABLE = (
    Scheme("Q2_K", "Q2_K", 10, 3.16),
    Scheme("Q3_K_S", "Q3_K", 11, 3.64),
    Scheme("Q3_K_M", "Q3_K", 12, 4.00),
    Scheme("Q3_K_L", "Q3_K", 13, 4.30),
    Scheme("IQ4_XS", "IQ4_XS", 30, 4.46),
    Scheme("Q4_0", "Q4_0", 2, 4.64),
    Scheme("Q4_K_S", "Q4_K", 14, 4.67),
    Scheme("IQ4_NL", "IQ4_NL", 25, 4.68),
    Scheme("Q4_K_M", "Q4_K", 15, 4.89),
    Scheme("Q4_1", "Q4_1", 3, 5.10),
    Scheme("Q5_0", "Q5_0", 8, 5.57),
    Scheme("Q5_K_S", "Q5_K", 16, 5.57),
    Scheme("Q5_K_M", "Q5_K", 17, 5.70),
    Scheme("Q5_1", "Q5_1", 9, 6.04),
    Scheme("Q6_K", "Q6_K", 18, 6.56),
    Scheme("Q8_0", "Q8_0", 7, 8.50),
    Scheme("BF16", "BF16", 32, 16.0),
    Scheme("F16", "F16", 1, 16.0),
    Scheme("F32", "F32", 0, 32.0),
)

SCHEMES: dict[str, Scheme] = {entry.name: entry for entry in _TABLE}


def scheme(name: str) -> Scheme:
    """The scheme of that name, in any case; PlanError lists the known ones."""
    found = SCHEMES.get(name.upper())
    if found is None:
        raise PlanError(f"unknown scheme {name!r}", hint=f"known schemes: {', '.join(SCHEMES)}")
    return found
