"""A wheel, byte by byte the same wherever it is written, the model in it stored.

Source: the binary distribution format (PyPA specifications; PEP 427), core metadata 2.4 (PEP 639).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from edgeshrink.bundle.archives.entries import Entry
from edgeshrink.bundle.archives.zip import write_zip
from edgeshrink.bundle.laptop.names import REQUIRES_PYTHON, ProjectNames, requirements
from edgeshrink.core.bundle import BundleManifest
from edgeshrink.core.events import Listener
from edgeshrink.core.plain import plain

LOADER_LICENCE = "Apache-2.0"
_WHEEL = "Wheel-Version: 1.0\nGenerator: edgeshrink\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(
    folder: Path,
    names: ProjectNames,
    manifest: BundleManifest,
    package: Iterable[Entry],
    known: Mapping[str, str],
    *,
    description: str,
    listener: Listener,
) -> Path:
    """Write `names.wheel` into `folder`. `known`: sha256 of entries of `package` that need not be read for it."""
    carried = tuple(package)
    texts = {entry.name: entry for entry in carried}
    licences = [
        Entry(f"{names.metadata}/licenses/{file}", texts[f"{names.module}/bundle/{file}"].source)
        for file in _licence_files(manifest)
    ]
    info = [
        Entry(f"{names.metadata}/METADATA", _metadata(names, manifest, description).encode()),
        Entry(f"{names.metadata}/WHEEL", _WHEEL.encode()),
        Entry(f"{names.metadata}/entry_points.txt", _entry_points(names).encode()),
        *licences,
    ]
    entries = [*carried, *info]
    record = Entry(f"{names.metadata}/RECORD", _record(entries, known, f"{names.metadata}/RECORD"))
    wheel = folder / names.wheel
    write_zip(wheel, [*entries, record], listener=listener)
    return wheel


def licence_expression(manifest: BundleManifest) -> str | None:
    """SPDX, of the model and the loader; None where the model's licence is no SPDX expression."""
    stated = [note.id for note in manifest.licences if note.part == "model"]
    try:
        found = {str(canonicalize_license_expression(each)) for each in stated}
    except InvalidLicenseExpression:
        return None
    if not found:
        return None
    return " AND ".join(sorted(f"({each})" if " " in each else each for each in {*found, LOADER_LICENCE}))


def _metadata(names: ProjectNames, manifest: BundleManifest, description: str) -> str:
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {names.project}",
        f"Version: {names.version}",
        f"Summary: {plain(f'The model {manifest.name} ({manifest.format}), measured, with what opens it')}",
        f"Requires-Python: {REQUIRES_PYTHON}",
    ]
    if expression := licence_expression(manifest):
        lines.append(f"License-Expression: {expression}")
    lines += [f"License-File: {file}" for file in _licence_files(manifest)]
    lines += [f"Requires-Dist: {each}" for each in requirements(manifest)]
    lines.append("Description-Content-Type: text/markdown")
    return "\n".join(lines) + f"\n\n{description}"


def _licence_files(manifest: BundleManifest) -> tuple[str, ...]:
    return tuple(sorted({file for note in manifest.licences for file in note.files}))


def _entry_points(names: ProjectNames) -> str:
    return f"[console_scripts]\n{names.project} = {names.module}.__main__:main\n"


def _record(entries: Iterable[Entry], known: Mapping[str, str], own_name: str) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for entry in entries:
        digest = bytes.fromhex(known[entry.name]) if entry.name in known else _digest(entry)
        rows.writerow((entry.name, f"sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}", entry.nbytes))
    rows.writerow((own_name, "", ""))
    return text.getvalue().encode()


def _digest(entry: Entry) -> bytes:
    if isinstance(entry.source, bytes):
        return hashlib.sha256(entry.source).digest()
    with entry.source.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()
