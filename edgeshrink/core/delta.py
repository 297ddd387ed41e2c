"""A patch: how the files of a new build are put together from those of an old one, and what came of making one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as strict_dataclass

from edgeshrink.core.manifest import Sha256
from edgeshrink.core.signature import Claims

DELTA_SCHEMA: Final = "edgeshrink-delta-1"
DELTA_SUFFIX: Final = ".edgeshrink-delta"
MOST_FRESH_BYTES: Final = 4 << 20
"""The most that one piece brings, and that it is unpacked with: it is held in memory."""
MOST_BASE_BYTES: Final = MOST_FRESH_BYTES + (128 << 10)

_STRICT = ConfigDict(extra="forbid", strict=True)
Count = Annotated[int, Field(ge=0, lt=1 << 62)]
Whole = Annotated[int, Field(gt=0, lt=1 << 62)]
Which = Literal["old", "new"]


@strict_dataclass(frozen=True, slots=True, config=_STRICT)
class Place:
    """Bytes that exist already: of the old build, or of what was written before. `file` counts in that list.

    `layer`: they are what the gzip file in that place of the old file's `layers` holds; None: as they are stored.
    """

    of: Which
    file: Count
    at: Count
    nbytes: Whole
    layer: Count | None = None


@strict_dataclass(frozen=True, slots=True, config=_STRICT)
class Copy:
    """The bytes at `place`."""

    place: Place
    op: Literal["copy"] = "copy"


@strict_dataclass(frozen=True, slots=True, config=_STRICT)
class Fresh:
    """`nbytes` that the patch brings: its next `packed` bytes, as they are or as a zstd frame.

    `base`: its dictionary.
    """

    nbytes: Annotated[int, Field(gt=0, le=MOST_FRESH_BYTES)]
    packed: Whole
    zstd: bool
    base: Place | None = None
    op: Literal["fresh"] = "fresh"


Operation = Annotated[Copy | Fresh, Field(discriminator="op")]


@strict_dataclass(frozen=True, slots=True, config=_STRICT)
class PatchPart:
    """What `operations` bring, one after the other; `gzip`: stored in a gzip file of stored blocks."""

    operations: tuple[Operation, ...]
    gzip: bool = False


@strict_dataclass(frozen=True, slots=True, config=_STRICT)
class Layer:
    """A gzip file of stored blocks: `nbytes` of a file from `start`."""

    start: Count
    nbytes: Whole


@strict_dataclass(frozen=True, slots=True, config=_STRICT)
class OldFile:
    """A file of the old build. `sha256` is None where no byte of it is needed."""

    name: str
    nbytes: Count
    sha256: Sha256 | None
    layers: tuple[Layer, ...] = ()


@strict_dataclass(frozen=True, slots=True, config=_STRICT)
class KeptFile:
    """A file of the new build that exists already, whole: of the old build or written before."""

    name: str
    mode: Annotated[int, Field(ge=0, le=0o777)]
    of: Which
    file: Count
    kind: Literal["kept"] = "kept"


@strict_dataclass(frozen=True, slots=True, config=_STRICT)
class WrittenFile:
    """A file of the new build that is put together."""

    name: str
    mode: Annotated[int, Field(ge=0, le=0o777)]
    nbytes: Count
    sha256: Sha256
    parts: tuple[PatchPart, ...]
    kind: Literal["written"] = "written"


NewFile = Annotated[KeptFile | WrittenFile, Field(discriminator="kind")]


@strict_dataclass(frozen=True, slots=True, config=_STRICT)
class PatchHeader:
    """What a patch begins with. `kind` is "file" where both builds are one file each; its name means nothing then.

    `old` has every file of the old build, `folders` those of the new that hold nothing. `claims` say who signed the
    patch, over the digests of the new files; they are to be believed where the patch's signature is good.
    """

    schema: Literal["edgeshrink-delta-1"]
    kind: Literal["folder", "file"]
    tools: dict[str, str]
    old: tuple[OldFile, ...]
    new: tuple[NewFile, ...]
    folders: tuple[str, ...] = ()
    claims: Claims | None = None


@dataclass(frozen=True, slots=True)
class ChangedTensor:
    """A tensor of `file` that the old build does not have byte for byte; `fresh_bytes` of it are new."""

    file: str
    name: str
    nbytes: int
    fresh_bytes: int


@dataclass(frozen=True, slots=True)
class DeltaSummary:
    """What `edgeshrink delta` made. `signature` and `key` are "" where it was not signed."""

    patch: str
    patch_bytes: int
    new_bytes: int
    fresh_bytes: int
    """Of the new build, what the old one does not have, before it was packed."""
    kept: tuple[str, ...]
    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    tensors: tuple[ChangedTensor, ...]
    signature: str
    key: str


@dataclass(frozen=True, slots=True)
class AppliedSummary:
    """What `edgeshrink apply` wrote, all of it checked. `signed_by`: "" where that was not asked for."""

    result: str
    files: int
    linked: int
    nbytes: int
    written_bytes: int
    signed_by: str
    signed_at: str
    key: str
