"""What came of bundling: a finished bundle, and one that was made again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeshrink.core.bundle import BundleManifest
from edgeshrink.core.signature import Claims


@dataclass(frozen=True, slots=True)
class Bundled:
    """A finished bundle; `claims` is None where it was not signed."""

    folder: Path
    manifest: BundleManifest
    claims: Claims | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A file that a rebuild made otherwise: `offset` is the first byte that differs, None where a side has no file."""

    name: str
    offset: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A bundle made again. `drift`: what is not as the lock pins it; `inputs`: what was taken as it was recorded."""

    manifest: BundleManifest
    files: int
    nbytes: int
    differences: tuple[Difference, ...]
    drift: tuple[str, ...]
    inputs: tuple[str, ...]

    @property
    def identical(self) -> bool:
        return not self.differences
