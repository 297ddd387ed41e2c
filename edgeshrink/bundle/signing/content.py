"""Whether what a well signed bundle says of itself agrees with what is in it: `bundle.json` and `provenance.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from edgeshrink.bundle.signing.file_digests import Unreadable, read_bounded
from edgeshrink.core.bundle import BUNDLE_NAME, BundleManifest
from edgeshrink.core.digests import combined_sha256
from edgeshrink.core.signature import Finding
from edgeshrink.core.values import first_wrong, from_json_text

_PROVENANCE: Final = "provenance.json"
_REPORT: Final = "report.json"
_MOST_BYTES: Final = 64 << 20


class _Wrong(Exception):
    """What is wrong with a file, as the rest of a sentence that begins with its name."""


def read_content(
    folder: Path, signed: Mapping[str, str], sizes: Mapping[str, int]
) -> tuple[BundleManifest | None, tuple[Finding, ...]]:
    """`bundle.json`, and what does not agree. `signed`: sha256 by name, as it was found true; `sizes` in bytes."""
    try:
        bundle = _bundle(folder, signed)
    except _Wrong as error:
        return None, (Finding("content", BUNDLE_NAME, str(error)),)
    return bundle, tuple(_disagreements(folder, bundle, signed, sizes))


def _disagreements(
    folder: Path, bundle: BundleManifest, signed: Mapping[str, str], sizes: Mapping[str, int]
) -> Iterator[Finding]:
    for file in bundle.files:
        if file.name not in signed:
            yield Finding("content", file.name, f"is listed in {BUNDLE_NAME}, and not there")
        elif signed[file.name] != file.sha256 or sizes[file.name] != file.bytes:
            yield Finding("content", file.name, f"is not the file that {BUNDLE_NAME} lists")
    digest, nbytes = _artifact(bundle.main, signed, sizes)
    if digest != bundle.artifact_sha256 or nbytes != bundle.artifact_bytes:
        yield Finding("content", bundle.main, f"is not the artifact that {BUNDLE_NAME} names")
    if bundle.report_sha256 is not None and signed.get(_REPORT) != bundle.report_sha256:
        yield Finding("content", _REPORT, f"is not the report that {BUNDLE_NAME} names")
    if _PROVENANCE in signed:
        try:
            yield from _provenance(json.loads(_content(folder, _PROVENANCE, signed)), signed, bundle)
        except (_Wrong, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            why = str(error) if isinstance(error, _Wrong) else "is no in-toto statement that can be read"
            yield Finding("content", _PROVENANCE, why)


def _bundle(folder: Path, signed: Mapping[str, str]) -> BundleManifest:
    try:
        return from_json_text(BundleManifest, _content(folder, BUNDLE_NAME, signed))
    except ValidationError as error:
        raise _Wrong(f"is not what a bundle has: {first_wrong(error)}") from error


def _content(folder: Path, name: str, signed: Mapping[str, str]) -> str:
    if name not in signed:
        raise _Wrong("is missing: this is no bundle")
    try:
        content = read_bounded(folder / name, _MOST_BYTES)
        text = content.decode()
    except (Unreadable, UnicodeDecodeError) as error:
        raise _Wrong(str(error) if isinstance(error, Unreadable) else "is no UTF-8 text") from error
    if hashlib.sha256(content).hexdigest() != signed[name]:
        raise _Wrong("changed while it was looked at")
    return text


def _artifact(main: str, signed: Mapping[str, str], sizes: Mapping[str, int]) -> tuple[str, int]:
    """Digest and bytes of what the runtime opens: a file, or a folder's files by their names in it."""
    if main in signed:
        return signed[main], sizes[main]
    inside = {name: digest for name, digest in signed.items() if name.startswith(f"{main}/")}
    digest = combined_sha256((name.removeprefix(f"{main}/"), digest) for name, digest in inside.items())
    return digest, sum(sizes[name] for name in inside)


def _provenance(statement: Any, signed: Mapping[str, str], bundle: BundleManifest) -> Iterator[Finding]:
    """The subjects of an in-toto statement are files of the bundle, or its artifact."""
    subjects = statement["subject"]
    if not subjects:
        raise _Wrong("is about no file")
    for subject in subjects:
        name, digest = subject["name"], subject["digest"]["sha256"]
        known = signed.get(name, bundle.artifact_sha256 if name == bundle.main else None)
        if known is None:
            yield Finding("content", _PROVENANCE, f"is about {name}, which is not in the bundle")
        elif known != digest:
            yield Finding("content", _PROVENANCE, f"is about another {name}")
