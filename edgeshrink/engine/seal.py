"""Who signs a bundle or a patch, and the signing of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edgeshrink.core.bundle import BundleManifest
from edgeshrink.core.events import Listener
from edgeshrink.core.signature import Claims
from edgeshrink.engine.installed import versions


@dataclass(frozen=True, slots=True)
class Seal:
    """`key` is a private key; None: keyless, by an identity that the signer proves online."""

    key: Path | None
    passphrase: str | None = None
    signer: str = ""


def sealed(
    folder: Path, seal: Seal | None, manifest: BundleManifest, known_sha256: Mapping[str, str], listener: Listener
) -> Claims | None:
    """Sign the bundle in `folder`; None where nobody signs."""
    if seal is None:
        return None
    from edgeshrink.bundle.signing.sign import sign, sign_keyless

    tools = {"edgeshrink": versions()["edgeshrink"]}
    signed = {
        "signer": seal.signer or (seal.key.stem if seal.key else ""),
        "tools": tools,
        "now": datetime.now(UTC),
        "known_sha256": known_sha256,
        "subject": f"{manifest.name} {manifest.version} ({manifest.kind})",
        "listener": listener,
    }
    if seal.key is None:
        return sign_keyless(folder, **signed)
    return sign(folder, key=seal.key, passphrase=seal.passphrase, **signed)
