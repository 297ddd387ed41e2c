"""The manifest of an output folder: what stands in it, from what it was made, and with which tools."""

from __future__ import annotations

from dataclasses import field
from pathlib import PureWindowsPath
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

MANIFEST_SCHEMA: Final = "edgeshrink-manifest-1"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_STRICT = ConfigDict(extra="forbid")


def _inside(name: str) -> str:
    """A manifest may be anybody's: a name in it must never lead out of its folder."""
    path = PureWindowsPath(name)  # its rules are the stricter ones: drives, and both slashes
    if path.anchor or ".." in path.parts:
        raise ValueError(f"{name!r} leads out of the folder")
    return name


@dataclass(frozen=True, slots=True, config=_STRICT)
class ManifestFile:
    """One file of the folder: `name` is relative to it, with forward slashes."""

    name: Annotated[str, Field(min_length=1), AfterValidator(_inside)]
    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True, config=_STRICT)
class ManifestSource:
    """The model that was built: `digest` is the sha256 over its files' sha256, in name order."""

    given: str
    digest: str
    hub_id: str | None
    revision: str | None
    license: str | None


@dataclass(frozen=True, slots=True, config=_STRICT)
class ManifestPlan:
    """What was decided: `tensor_types` has the type of every tensor of the artifact, by its name."""

    target: str
    profile: str
    format: str
    scheme: str
    context: int
    imatrix: str
    tensor_types: dict[str, str]


@dataclass(frozen=True, slots=True, config=_STRICT)
class Manifest:
    """`manifest.json`. `versions` are tools and libraries by name; `files` has every file but the manifest itself."""

    schema: Literal["edgeshrink-manifest-1"]
    created_at: str
    source: ManifestSource | None
    plan: ManifestPlan
    versions: dict[str, str]
    report_sha256: Sha256
    files: tuple[ManifestFile, ...] = field(default=())
