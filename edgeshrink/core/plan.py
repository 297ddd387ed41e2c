"""A Plan says everything that will be done, down to each tensor's name, shape and type. Exporters obey it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from edgeshrink.core.quant_types import storage_type
from edgeshrink.core.reading import Prediction

Transform = Literal["none", "rope_permute", "flatten"]


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """One tensor of the artifact.

    `shape` is row-major (the last number is the row that a block type divides); `source` is its name in the
    source, "" where the exporter computes it (rope factors). `rope_permute` reorders the rows of `heads` heads
    from Hugging Face's half-split rotary layout to llama.cpp's interleaved one; `flatten` makes a vector of a matrix of
    one row. `why` explains the type. Where `experts` are given, the first number of `shape` counts them, the source has
    one tensor each, and `source` is their name with {} in place of the number.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    type: str
    why: str
    transform: Transform = "none"
    heads: int = 0
    experts: int = 0

    @property
    def sources(self) -> tuple[str, ...]:
        """The source's tensors in order: one, one an expert, or none."""
        if self.experts:
            return tuple(self.source.format(number) for number in range(self.experts))
        return (self.source,) if self.source else ()

    @property
    def source_shape(self) -> tuple[int, ...]:
        """What each of `sources` has."""
        if self.experts:
            return self.shape[1:]
        return (1, *self.shape) if self.transform == "flatten" else self.shape

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        row = self.shape[-1]
        return self.elements // row * storage_type(self.type).row_bytes(row)


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step to be run, in order, and what it does in a few words."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Predictions:
    """What the plan expects of the artifact on the device, and of the build on this host."""

    artifact_bytes: Prediction
    peak_rss_bytes: Prediction
    decode_tok_s: Prediction
    ttft_p95_ms: Prediction
    build_s: Prediction
    host_ram_bytes: Prediction
    host_disk_bytes: Prediction


@dataclass(frozen=True, slots=True)
class Candidate:
    """One rung of the ladder, as predicted: does it fit the budget, and if not, which line says no."""

    scheme: str
    bits_per_weight: float
    predictions: Predictions
    fits: bool | None
    why: str
    active_bytes: int | None = None
    """Of a mixture of experts: bytes of the tensors that one token goes through."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A resolved request for one scheme."""

    target: str
    profile: str
    format: str
    runtime: str
    delegate: str
    scheme: str
    context: int
    model_type: str
    tensors: tuple[TensorPlan, ...]
    uses_imatrix: bool
    steps: tuple[StepPlan, ...]
    predictions: Predictions
    settings: tuple[tuple[str, int | str | bool], ...] = ()
    """What the format's exporter was told beside the scheme: group size, block size, as target.toml names them."""
    notes: tuple[str, ...] = ()

    @property
    def tensor_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors)
