"""`signature/claims.json`: who signed, when, with which tools. The signature covers it as it covers any file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from edgeshrink.bundle.signing.file_digests import Unreadable, read_bounded
from edgeshrink.bundle.signing.names import CLAIMS_NAME
from edgeshrink.core.digests import combined_sha256
from edgeshrink.core.plain import plain
from edgeshrink.core.signature import CLAIMS_SCHEMA, Claims, Finding
from edgeshrink.core.values import from_json_text

_MOST_BYTES: Final = 1 << 20


def make_claims(signer: str, tools: Mapping[str, str], now: datetime, digests: Mapping[str, str]) -> Claims:
    """`digests`: sha256 by name, of all that is signed."""
    return Claims(
        schema=CLAIMS_SCHEMA,
        signed_at=now.astimezone(UTC).isoformat(timespec="seconds"),
        signer=plain(signer),
        tools={plain(name): plain(tools[name]) for name in sorted(tools)},
        payload_sha256=payload_sha256(digests),
    )


def payload_sha256(digests: Mapping[str, str]) -> str:
    """One digest over all signed files but the claims: what `sha256sum` prints of them in name order, hashed."""
    return combined_sha256((name, digest) for name, digest in digests.items() if name != CLAIMS_NAME)


def read_claims(folder: Path, signed: Mapping[str, str]) -> tuple[Claims | None, list[Finding]]:
    """The claims, if they are the signed ones, and what is wrong with them. `signed`: sha256 by name."""
    if CLAIMS_NAME not in signed:
        return None, [Finding("content", CLAIMS_NAME, "is not signed: it is not known who signed, and when")]
    try:
        content = read_bounded(folder / CLAIMS_NAME, _MOST_BYTES)
    except Unreadable as error:
        return None, [Finding("content", CLAIMS_NAME, str(error))]
    if hashlib.sha256(content).hexdigest() != signed[CLAIMS_NAME]:
        return None, [Finding("content", CLAIMS_NAME, "is not what was signed")]
    try:
        claims = from_json_text(Claims, content.decode())
        moment = datetime.fromisoformat(claims.signed_at)
    except (ValidationError, ValueError, RecursionError):
        return None, [Finding("content", CLAIMS_NAME, "is signed, and no claims can be read from it")]
    if moment.utcoffset() is None:
        return claims, [Finding("content", CLAIMS_NAME, "has a time of signing without a time zone")]
    if claims.payload_sha256 != payload_sha256(signed):
        return claims, [Finding("content", CLAIMS_NAME, "was made for other contents")]
    return claims, []
