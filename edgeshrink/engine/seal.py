"""Who signs a bundle or a patch, and the signing of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
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


def check_seal(seal: Seal | None) -> None:
    """Before any work: UsageError where the key cannot sign, ToolMissing where the library is not there."""
    if seal is None:
        return
    from edgeshrink.bundle.signing.keys import check_private
    from edgeshrink.bundle.signing.library import need_library

    need_library()
    if seal.key is not None:
        check_private(seal.key, passphrase=seal.passphrase)


def sealed(
    folder: Path, seal: Seal | None, manifest: BundleManifest, known_sha256: Mapping[str, str], listener: Listener
) -> Claims | None:
    """Sign the bundle in `folder`; None where nobody signs."""
    if seal is None:
        return None
    from edgeshrink.bundle.signing.sign import sign, sign_keyless

    signing: Callable[..., Claims] = sign_keyless
    if seal.key is not None:
        signing = partial(sign, key=seal.key, passphrase=seal.passphrase)
    return signing(
        folder,
        signer=seal.signer or (seal.key.stem if seal.key else ""),
        tools={"edgeshrink": versions()["edgeshrink"], "model-signing": version("model-signing")},
        now=datetime.now(UTC),
        known_sha256=known_sha256,
        subject=f"{manifest.name} {manifest.version} for {manifest.kind}",
        listener=listener,
    )
