"""A target: the formats a family of devices takes, in order, and for each its runtime and its ladder of schemes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from edgeshrink.core.profile import Family, Identifier

# What a person asks for without knowing a format's own names.
Width = Literal["float", "8bit", "4bit"]


class NetworkFormat(BaseModel):
    """How a format takes networks: models with fixed inputs and outputs, which generate no text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schemes: Annotated[tuple[str, ...], Field(min_length=1)] = Field(description="the ladder, from fewest bits to most")
    preferred_scheme: str = Field(description="where the ladder starts when no --scheme is given")
    aliases: dict[Width, str] = Field(default_factory=dict, description="float, 8bit, 4bit -> this format's own scheme")
    per_channel: bool = Field(True, description="one scale per output channel of a weight, else one per tensor")
    symmetric_activations: bool = Field(False, description="activations quantized around zero, without a zero point")


class TargetFormat(BaseModel):
    """How one format is built and run for a target."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runtime: str = Field(description="name of the runtime that loads it, for example llama_cpp")
    delegates: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="backends in order of preference; the first is built for unless --delegate says otherwise"
    )
    schemes: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="the ladder, from fewest bits to most; names as people know them (Q4_K_M)"
    )
    preferred_scheme: str = Field(description="where the ladder starts when no --scheme is given")
    aliases: dict[Width, str] = Field(default_factory=dict, description="float, 8bit, 4bit -> this format's own scheme")
    networks: NetworkFormat | None = Field(None, description="absent where the format takes language models only")
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
