"""The signing library as the judge of a signature, over our way of hashing."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeshrink.bundle.signing.envelope import Envelope, Refused, read_envelope
from edgeshrink.bundle.signing.keys import read_public
from edgeshrink.bundle.signing.library import unheard
from edgeshrink.core.plain import plain
from edgeshrink.errors import Error, StepFailed, UsageError

if TYPE_CHECKING:
    from edgeshrink.bundle.signing.hashing import StrictHashing


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signature is taken: the owner of a key, or an identity that an issuer vouches for."""

    pem: bytes
    fingerprint: str
    identity: str
    issuer: str

    @property
    def name(self) -> str:
        return self.fingerprint or self.identity


def trust(key: Path | None, identity: str | None, issuer: str | None) -> Trust:
    """UsageError where it is not one of the two, whole, or the key is none."""
    if key is not None:
        if identity or issuer:
            raise UsageError("a signature is either of a key or of an identity", hint="give --key alone")
        return Trust(*read_public(key), "", "")
    if not identity or not issuer:
        hint = "give --key PUBLIC, or --identity and --issuer for a keyless signature"
        raise UsageError("verifying a signature needs the public key of who signed", hint=hint)
    return Trust(b"", "", identity, issuer)


def judge(
    path: Path, content: bytes, trusted: Trust, hashing: StrictHashing, serialization: dict[str, Any]
) -> Envelope:
    """What the signature `content` covers, if it is a good one of that key or identity; then `path` was hashed, too.

    Raises Refused where it is not. Whether the files are as they were signed is told by `hashing` and `disagreement`.
    """
    envelope = read_envelope(content, keyless=not trusted.fingerprint, serialization=serialization)
    if trusted.fingerprint and envelope.hint != trusted.fingerprint:
        raise Refused(
            f"was made by another key ({envelope.hint[:16]}…), not by the one given ({trusted.fingerprint[:16]}…)"
        )
    hashing.disagreement = _disagreement(path, content, trusted, hashing)
    if hashing.walked is None:
        if trusted.fingerprint:
            raise Refused("is not a signature of these contents by that key: it was changed, or is forged")
        raise Refused(f"is not a signature by {trusted.identity}: {hashing.disagreement}")
    return envelope


def _disagreement(path: Path, content: bytes, trusted: Trust, hashing: StrictHashing) -> str:
    """What the library does not like; "" where all is as it was signed."""
    from model_signing import verifying

    # The library reads files: it gets copies of the very bytes that were looked at, where nobody else writes.
    with tempfile.TemporaryDirectory(prefix="edgeshrink-verify-") as private, unheard():
        signature, key = Path(private, "model.sig"), Path(private, "key.pub")
        signature.write_bytes(content)
        key.write_bytes(trusted.pem)
        config = verifying.Config().set_hashing_config(hashing)  # type: ignore[no-untyped-call]
        if trusted.fingerprint:
            config.use_elliptic_key_verifier(public_key=key)
        else:
            _use_sigstore(config, trusted)
        try:
            config.verify(path, signature)
        except Error:
            raise
        except Exception as error:
            return plain(str(error))[:500] or type(error).__name__
    return ""


def _use_sigstore(config: Any, trusted: Trust) -> None:
    try:
        config.use_sigstore_verifier(identity=trusted.identity, oidc_issuer=trusted.issuer)
    except Exception as error:
        raise StepFailed(
            f"the roots of trust of Sigstore cannot be had: {plain(str(error))[:200]}",
            hint="a keyless signature is verified online; one of a key needs no network",
        ) from error
