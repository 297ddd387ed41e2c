"""A signature file, read strictly before the library sees it: a Sigstore bundle around a DSSE envelope around in-toto.

The library reads generously (keys it does not know, other hashes, other files left out, duplicates, odd base64) and
prints what it only doubts. Here each byte has one meaning, so that a changed one is always found. Nothing that is read
here is trusted: whether the signature is good is the library's to say.

https://docs.sigstore.dev/about/bundle/, https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md,
https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

MOST_BYTES: Final = 16 << 20
"""Of a signature file: enough for 50,000 files."""
_MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_PREDICATE: Final = "https://model_signing/signature/v1.0"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class Refused(Exception):
    """Why this is no signature of ours, as the rest of a sentence that begins with the file's name."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a signature says that it covers: sha256 by file name; and the key that it names, "" where it is keyless."""

    digests: Mapping[str, str]
    hint: str


def read_envelope(content: bytes, *, keyless: bool, serialization: Mapping[str, Any]) -> Envelope:
    """Raises Refused. `serialization`: how the files must have been hashed."""
    outer = _json(content)
    compact = json.dumps(outer, separators=(",", ":"), ensure_ascii=False)
    if compact.encode(errors="surrogatepass") != content:
        raise Refused("was changed: no signature is spelled so")
    material = _fields(outer, {"mediaType", "verificationMaterial", "dsseEnvelope"})["verificationMaterial"]
    if outer["mediaType"] != _MEDIA_TYPE:
        raise Refused("is of another media type")
    hint = _hint(material) if not keyless else _identified(material)
    envelope = _fields(outer["dsseEnvelope"], {"payload", "payloadType", "signatures"})
    if envelope["payloadType"] != _PAYLOAD_TYPE:
        raise Refused("signs another type of payload")
    signatures = envelope["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise Refused("holds more or less than one signature")
    if not {"sig"} <= set(signatures[0]) <= {"sig", "keyid"} or signatures[0].get("keyid", "") != "":
        raise Refused("has fields that no signature of ours has")
    _base64(signatures[0]["sig"])
    return Envelope(_covered(_base64(envelope["payload"]), serialization), hint)


def _hint(material: object) -> str:
    key = _fields(material, {"publicKey", "tlogEntries"})
    hint = _fields(key["publicKey"], {"hint"})["hint"]
    if key["tlogEntries"] != [] or not isinstance(hint, str) or not _SHA256.fullmatch(hint):
        raise Refused("does not say which key made it")
    return hint


def _identified(material: object) -> str:
    """What proves an identity is the library's to judge; a key's signature proves none."""
    if not isinstance(material, dict) or "certificate" not in material:
        raise Refused("was made by a key, not by an identity: verify it with the key")
    return ""


def _covered(payload: bytes, serialization: Mapping[str, Any]) -> dict[str, str]:
    """Names and digests in the in-toto statement."""
    statement = _fields(_json(payload), {"_type", "subject", "predicateType", "predicate"})
    if statement["_type"] != _STATEMENT or statement["predicateType"] != _PREDICATE:
        raise Refused("states something else than the digests of a model")
    predicate = _fields(statement["predicate"], {"resources", "serialization"})
    if predicate["serialization"] != serialization:
        raise Refused("leaves files out, or hashes them otherwise than it should")
    if not isinstance(predicate["resources"], list):
        raise Refused("lists no files")
    digests: dict[str, str] = {}
    for resource in predicate["resources"]:
        name, algorithm, digest = (
            _fields(resource, {"name", "algorithm", "digest"})[key] for key in ("name", "algorithm", "digest")
        )
        if not isinstance(name, str) or str(PurePosixPath(name)) != name:
            raise Refused("lists a file by no proper name")
        if name in digests:
            raise Refused(f"lists {name!r} twice")
        if algorithm != "sha256" or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise Refused(f"has no sha256 of {name!r}")
        digests[name] = digest
    return digests


def _fields(value: object, names: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != names:
        raise Refused("has fields that no signature of ours has, or lacks some")
    return value


def _base64(text: object) -> bytes:
    """Of the one spelling that each content has."""
    try:
        content = base64.b64decode(text.encode("ascii") if isinstance(text, str) else b"!", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Refused("holds what is no base64") from error
    if base64.b64encode(content).decode() != text:
        raise Refused("was changed: no signature is spelled so")
    return content


def _json(content: bytes) -> Any:
    try:
        return json.loads(content.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Refused("is no JSON that can be read") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("has a field twice")
    return found
