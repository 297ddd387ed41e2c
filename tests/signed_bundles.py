"""A small bundle with all that bundles have, signed by a key of its own, for tests that then touch it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sample_cargo import sample_cargo

from edgeshrink.bundle.cargo import write_file
from edgeshrink.bundle.signing.keys import new_keys
from edgeshrink.bundle.signing.sign import sign
from edgeshrink.core.signature import Claims

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
