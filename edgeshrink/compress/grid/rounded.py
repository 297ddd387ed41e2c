"""Weights as a GGUF will spell them: quantized by libggml and read back. numpy, no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.compress.imatrix.formats import read_importance
from edgeshrink.core.plan import Plan
from edgeshrink.errors import DataError, PlanError
from edgeshrink.ggml.quantize import dequantize, quantize_rows

Floats = NDArray[np.float32]


def rounded(values: Floats, type: str, importance: Floats | None = None, *, threads: int = 1) -> Floats:
    """`values` (rows, columns) as they come back from blocks of `type`; `importance` (columns,) weighs the columns.

    A row stands for itself, so turning rows (llama.cpp's rotary order) changes nothing. StepFailed where a value is not
    finite or the type cannot take the row.
    """
    return dequantize(quantize_rows(values, type, importance, threads), type, values.shape[-1])


@dataclass(frozen=True)
class Rounding:
    """What every weight of a model becomes in a GGUF of `scheme`: `types` by transformers' names. `importance` is the
    imatrix file, and `columns` tells the name of a weight in it."""

    scheme: str
    types: Mapping[str, str] = field(repr=False, hash=False)
    importance: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    def of(self, name: str, values: Floats, *, threads: int = 1) -> Floats:
        """The weight `name` (rows, columns), or some of its rows, as the file will spell it; vectors stay."""
        type = self.types.get(name)
        if type in (None, "F32") or values.ndim < 2:
            return values
        return rounded(values, str(type), self.weights(name, values.shape[-1]), threads=threads)

    def json(self) -> dict[str, Any]:
        """All of it as JSON values; the path is absolute."""
        return {
            "scheme": self.scheme,
            "types": dict(self.types),
            "importance": None if self.importance is None else str(self.importance.absolute()),
            "columns": dict(self.columns),
        }

    def weights(self, name: str, columns: int) -> Floats | None:
        """How much each of the `columns` of the weight `name` counts; None where the matrix does not say. DataError
        where it says it of another number of columns."""
        found = self._means.get(self.columns.get(name, name))
        if found is None:
            return None
        if found.size != columns:
            if "embed_tokens" in name:  # counts of tokens: llama.cpp passes over them too
                return None
            raise DataError(
                f"{self.importance} has {found.size} columns for {name}, whose rows have {columns}",
                hint="this imatrix was made for another model",
            )
        return found

    @cached_property
    def _means(self) -> Mapping[str, Floats]:
        return {} if self.importance is None else read_importance(self.importance).values


def rounding_of(data: Mapping[str, Any]) -> Rounding:
    """`Rounding.json` read back."""
    path = data["importance"]
    return Rounding(data["scheme"], data["types"], None if path is None else Path(path), data["columns"])


def planned_rounding(plan: Plan, importance: Path | None) -> Rounding:
    """What `plan` of a GGUF does to its source's matrices. PlanError where it holds stacked experts, which lie in
    memory otherwise than in their files."""
    stacked = next((tensor.name for tensor in plan.tensors if len(tensor.shape) > 2), None)
    if stacked is not None:
        raise PlanError(
            f"a mixture of experts cannot be rounded before it is trained beside ({stacked})",
            hint="train the adapter on the unrounded base",
        )
    matrices = [tensor for tensor in plan.tensors if tensor.source and len(tensor.shape) == 2]
    return Rounding(
        plan.scheme,
        {tensor.source: tensor.type for tensor in matrices},
        importance if plan.uses_imatrix else None,
        {tensor.source: tensor.name for tensor in matrices},
    )
