"""What `edgeshrink targets` and `edgeshrink devices` list; what cannot be used stands there with the reason."""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.core.budget import Budget
from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.profile import Family


@dataclass(frozen=True, slots=True)
class TargetRow:
    """One target: its formats in order of preference, each with the scheme that the ladder starts at."""

    id: str
    name: str
    family: Family
    default_profile: str
    formats: tuple[tuple[str, str], ...]
    origin: str


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One device profile. `origin` is "shipped", "yours" or "probed"; `file` is "" where it was probed."""

    id: str
    name: str
    family: Family
    preferred_target: str
    origin: str
    file: str
    ram_bytes: int
    app_ram_bytes: int
    budget: Budget


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A data file that cannot be used, and why; everything else works without it."""

    id: str
    file: str
    problem: str


@dataclass(frozen=True, slots=True)
class TargetsListing:
    """Everything that `--target` and `--profile` take, and what stands in the way of the rest."""

    targets: tuple[TargetRow, ...]
    profiles: tuple[ProfileRow, ...]
    broken: tuple[BrokenFile, ...]


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """One device that is attached. `probed` None: it did not answer, and `error` says why and what helps.

    `profile` and `profile_name` are "" where no profile describes it; `why` says what the match rests on, `differences`
    where profile and device disagree.
    """

    address: str
    probed: ProbedDevice | None
    error: str = ""
    profile: str = ""
    profile_name: str = ""
    why: str = ""
    differences: tuple[str, ...] = ()
