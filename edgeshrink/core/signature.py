"""What a signature says, and what a look at a signed folder found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as strict_dataclass

from edgeshrink.core.bundle import BundleManifest
from edgeshrink.core.manifest import Sha256

CLAIMS_SCHEMA: Final = "edgeshrink-claims-1"

FindingKind = Literal["changed", "added", "missing", "renamed", "link", "clash", "special", "signature", "content"]


@strict_dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Claims:
    """`signature/claims.json`, covered by the signature: who signed, when, with which tools.

    `payload_sha256` is one digest over all signed files but this one; it is equal for equal bundles.
    """

    schema: Literal["edgeshrink-claims-1"]
    signed_at: str
    """UTC, ISO 8601, by the clock of the machine that signed."""
    signer: str
    """A name that the signer chose; the key alone proves anything."""
    tools: dict[str, str]
    payload_sha256: Sha256


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was signed: `name` is the file, relative to the folder."""

    kind: FindingKind
    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verification:
    """`claims` is None where no valid signature was found. Nothing in it is to be trusted unless `ok`."""

    folder: str
    files: int
    nbytes: int
    key: str
    """Fingerprint of the public key (sha256 of its PEM), or the identity of a keyless signature."""
    claims: Claims | None
    findings: tuple[Finding, ...]
    bundle: BundleManifest | None = None
    """What the bundle says of itself; None unless `ok`."""

    @property
    def ok(self) -> bool:
        return self.claims is not None and not self.findings


@dataclass(frozen=True, slots=True)
class BuildIntegrity:
    """What does not agree with the manifest of a build's folder. That it agrees proves nothing of who wrote it."""

    folder: str
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems
