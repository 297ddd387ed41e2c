"""Gates of a behaviour suite, in the words of Olive and of Intel's Neural Compressor: what each slice may lose."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Finite = Annotated[float, Field(allow_inf_nan=False)]
AtLeastZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Gain = Literal["artifact-bytes", "peak-rss-bytes", "decode-tok-s", "ttft-ms", "energy-mj-per-token"]

DISTANCES = ("text/*", "long-context/drift")
"""Slices whose first metric is a distance in nats, not a share of items."""


class SliceGate(BaseModel):
    """What one slice, or each slice that a pattern names, may lose. Several limits are all judged.

    Of the first metric, unless `metric` names another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    metric: str | None = Field(None, description="the slice's metric; its first one when left out")
    max_degradation: AtLeastZero | None = Field(
        None, alias="max-degradation", description="largest loss against the reference, in the metric's unit"
    )
    percent_max_degradation: AtLeastZero | None = Field(
        None, alias="percent-max-degradation", description="largest loss, percent of the reference's own figure"
    )
    threshold: Finite | None = Field(
        None, description="absolute floor (ceiling, where lower is better) of the candidate's own figure"
    )


class ExchangeRate(BaseModel):
    """One point (0.01) of lost quality is accepted only for so much gain against the baseline.

    The loss is that of the worst slice that `slices` names, shares only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    slices: str = Field("*", description="pattern of slice names whose worst loss is paid for")
    gain: Gain = Field(description="what is gained")
    percent_min_improvement: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        alias="percent-min-improvement", description="percent of the baseline's figure, for each point lost"
    )


def default_gates() -> dict[str, SliceGate]:
    """Looked up by the most specific pattern first: an exact name, then the longest pattern that fits."""
    return {
        "*": SliceGate.model_validate({"max-degradation": 0.05}),
        "text/*": SliceGate.model_validate({"max-degradation": 0.1}),
        "long-context/drift": SliceGate.model_validate({"max-degradation": 0.1}),
    }
