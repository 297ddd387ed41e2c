"""A device profile: one real device as facts, each with its source, and the budget an app has on it."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from edgeshrink.core.budget import Budget, Bytes, Positive

T = TypeVar("T")
Family = Literal["laptop", "apple", "android", "jetson"]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Fact(BaseModel, Generic[T]):
    """A value and where it comes from: a data sheet, a specification, a probe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: T
    source: Annotated[str, Field(min_length=8)] = Field(description="where the value comes from")


class TextFact(Fact[str]):
    """A fact in words."""


class ChipFact(Fact[Annotated[str, Field(pattern=r"^[^/]+/[^/]+$")]]):
    """A chip as Android names it to software: maker, slash, model."""


class NamesFact(Fact[tuple[str, ...]]):
    """A fact that is a list of names; empty means: none, or none known, as the source says."""


class CountFact(Fact[Annotated[int, Field(gt=0)]]):
    """A fact that is counted."""


class BytesFact(Fact[Bytes]):
    """A fact in bytes; may be written with a unit ("8GiB")."""


class RateFact(Fact[Positive]):
    """A fact per second."""


class DeviceFacts(BaseModel):
    """What is true of the device, whatever app runs on it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu: TextFact = Field(description="processor as its maker calls it")
    hardware_model: NamesFact | None = Field(
        None, description="how the device names itself to software, * for anything; without it no host is this device"
    )
    cores: CountFact = Field(description="cores, of all kinds together")
    performance_cores: CountFact | None = Field(None, description="cores of the fast kind, where there are two kinds")
    isa_features: NamesFact = Field(description="CPU features that matter, spelled as /proc/cpuinfo does")
    soc: ChipFact | None = Field(None, description="Android: Build.SOC_MANUFACTURER/SOC_MODEL")
    gpu: TextFact | None = None
    ram_bytes: BytesFact
    app_ram_bytes: BytesFact = Field(description="what one app may hold before the system stops it")
    memory_bandwidth_bytes_s: RateFact | None = Field(None, description="peak, bytes per second")
    last_level_cache_bytes: BytesFact | None = None
    storage: TextFact
    abi: TextFact
    page_bytes: CountFact | None = None
    os_limits: TextFact


class DeviceProfile(BaseModel):
    """`profiles/<id>.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Identifier
    name: str
    family: Family
    preferred_target: Identifier
    facts: DeviceFacts
    budget: Budget
