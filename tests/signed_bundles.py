"""A small bundle with all that bundles have, signed by a key of its own, for tests that then touch it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sample_cargo import sample_cargo

from edgeshrink.bundle.cargo import write_file
from edgeshrink.bundle.signing.keys import new_keys
from edgeshrink.bundle.signing.names import SIGNATURE_NAME
from edgeshrink.bundle.signing.sign import sign
from edgeshrink.bundle.signing.verify import verify
from edgeshrink.core.signature import Claims, Finding

Json = dict[str, Any]
SIGNED_AT = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
MODEL = bytes(range(256)) * 64


@dataclass(frozen=True)
class SignedBundle:
    folder: Path
    key: Path
    public: Path
    claims: Claims


def write_bundle(folder: Path) -> Path:
    """Unsigned: the shared files, a provenance, an empty file, names that are not plain ASCII."""
    sample_cargo(folder, MODEL)
    write_file(folder / "README.md", "# tiny\n")
    write_file(folder / "python" / "empty.py", b"")
    write_file(folder / "python" / "a name with spaces.txt", "spaces\n")
    write_file(folder / "python" / "größe-模型.txt", "unicode\n")
    subject = {"name": "model/tiny.gguf", "digest": {"sha256": hashlib.sha256(MODEL).hexdigest()}}
    write_file(
        folder / "provenance.json", json.dumps({"_type": "https://in-toto.io/Statement/v1", "subject": [subject]})
    )
    return folder


def signed_bundle(place: Path) -> SignedBundle:
    folder = write_bundle(place / "bundle")
    keys = new_keys(place / "keys", passphrase=None)
    return SignedBundle(folder, keys.private, keys.public, sign_again(folder, keys.private))


def sign_again(folder: Path, key: Path, passphrase: str | None = None) -> Claims:
    tools = {"edgeshrink": "0.1.0", "model-signing": "1.1.1"}
    return sign(folder, key=key, passphrase=passphrase, signer="the tests", tools=tools, now=SIGNED_AT, subject="tiny")


def findings(bundle: SignedBundle) -> tuple[Finding, ...]:
    return verify(bundle.folder, key=bundle.public).findings


def named(bundle: SignedBundle) -> list[tuple[str, str]]:
    return [(finding.kind, finding.name) for finding in findings(bundle)]


def rewrite(bundle: SignedBundle, change: Callable[[Json], object]) -> None:
    path = bundle.folder / SIGNATURE_NAME
    outer = json.loads(path.read_bytes())
    change(outer)
    path.write_text(json.dumps(outer, separators=(",", ":"), ensure_ascii=False))


def resign(bundle: SignedBundle, change: Callable[[Json], object]) -> None:
    """A statement that was changed, and well signed by the right key: a signer that is not us."""

    def sign(outer: Json) -> None:
        envelope = outer["dsseEnvelope"]
        statement = json.loads(base64.b64decode(envelope["payload"]))
        changed = change(statement)
        payload = changed if isinstance(changed, bytes) else json.dumps(statement).encode()
        key = load_pem_private_key(bundle.key.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        kind = envelope["payloadType"]
        signed = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
        envelope["payload"] = base64.b64encode(payload).decode()
        envelope["signatures"][0]["sig"] = base64.b64encode(key.sign(signed, ec.ECDSA(hashes.SHA256()))).decode()

    rewrite(bundle, sign)
