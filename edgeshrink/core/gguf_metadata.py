"""One key of a GGUF header, typed. Source: the GGUF specification, version 3 (ggml/docs/gguf.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

ValueType = Literal[
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64", "bool", "string"
]
Scalar = int | float | bool | str | bytes


@dataclass(frozen=True, slots=True)
class KeyValue:
    """A header entry. `value` is a tuple for an array (all elements of `type`), else one scalar."""

    key: str
    type: ValueType
    value: Scalar | tuple[Scalar, ...] = field(repr=False)
