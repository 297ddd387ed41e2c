"""A target: the formats a family of devices takes, in order, and for each its runtime and its ladder of schemes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from edgeshrink.core.profile import Family, Identifier


class TargetFormat(BaseModel):
    """How one format is built and run for a target."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runtime: str = Field(description="name of the runtime that loads it, for example llama_cpp")
    delegates: tuple[str, ...] = Field(description="backends in order of preference; the CPU is always the last")
    schemes: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="the ladder, from fewest bits to most; names as people know them (Q4_K_M)"
    )
    preferred_scheme: str = Field(description="where the ladder starts when no --scheme is given")
    context_tokens: Annotated[int, Field(gt=0)] = Field(
        4096, description="context planned for, unless the model's is shorter"
    )
    parameters: dict[str, int | str | bool] = Field(
        default_factory=dict, description="settings of this format's exporter"
    )


class Target(BaseModel):
    """`targets/<id>/target.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Identifier
    name: str
    family: Family
    default_profile: Identifier
    formats: Annotated[dict[str, TargetFormat], Field(min_length=1)] = Field(description="in order of preference")
    power_sources: tuple[str, ...] = Field(description="meters to try, in order")
    bundle: str = Field(description="kind of bundle this target takes")
    pins: dict[str, str] = Field(description="tool or package -> exact version that builds for this target")
