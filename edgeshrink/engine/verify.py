"""The verb `verify`: is a folder what was built, measured and signed?"""

from __future__ import annotations

from pathlib import Path

from edgeshrink.bundle.signing.verify import verify as verify_signed
from edgeshrink.core.bundle import BUNDLE_NAME, SIGNATURE_FOLDER
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.plain import plain
from edgeshrink.core.signature import BuildIntegrity, Verification
from edgeshrink.errors import UsageError
from edgeshrink.report.manifest import MANIFEST_NAME, verify_manifest


def verify(
    folder: Path,
    *,
    key: Path | None = None,
    identity: str | None = None,
    issuer: str | None = None,
    listener: Listener = silent,
) -> Verification | BuildIntegrity:
    """A bundle by its signature; the folder of a build, which nobody signs, by its manifest, where no key is given.

    UsageError where the folder is neither, or a bundle is to be verified without saying whose it should be.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", hint="name the folder of a bundle")
    if key is not None or identity or issuer:
        return verify_signed(folder, key=key, identity=identity, issuer=issuer, listener=listener)
    if (folder / BUNDLE_NAME).exists() or (folder / SIGNATURE_FOLDER).exists():
        hint = "give --key PUBLIC, the .pub file of who signed it (or --identity and --issuer)"
        raise UsageError(f"{folder} is a bundle: verifying it needs the public key of who signed it", hint=hint)
    if not (folder / MANIFEST_NAME).is_file():
        raise UsageError(
            f"{folder} is no bundle and no build: it has no {BUNDLE_NAME} and no {MANIFEST_NAME}",
            hint="name a folder that `edgeshrink bundle` or `edgeshrink build` wrote",
        )
    return BuildIntegrity(str(folder), tuple(plain(problem) for problem in verify_manifest(folder)))
