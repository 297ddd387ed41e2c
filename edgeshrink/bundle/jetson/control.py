"""The control part of the .deb, and what Debian wants beside the files: copyright, changelog. Source: Debian Policy."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from edgeshrink.bundle.archives.entries import Entry, pour
from edgeshrink.bundle.archives.tar import StoredGzip
from edgeshrink.bundle.jetson.facts import PackageFacts
from edgeshrink.bundle.jetson.templates import filled
from edgeshrink.core.bundle import LicenceNote
from edgeshrink.core.events import Listener
from edgeshrink.core.plain import plain

MAINTAINER = "edgeshrink bundle <edgeshrink@bundle.invalid>"
"""No mailbox: a domain that nobody can have (RFC 2606)."""
_SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
_DATE = "Tue, 01 Jan 1980 00:00:00 +0000"
_LINE = 76
_GZIP_EXTRA_FLAGS, _SMALLEST = 8, 2


def control_entries(
    facts: PackageFacts, data: Sequence[Entry], values: dict[str, str], listener: Listener
) -> list[Entry]:
    """`control`, digests of all of `data`, and the scripts that install and remove."""
    settings = sorted(f"/{entry.name}\n" for entry in data if entry.name.startswith("etc/"))
    return [
        Entry("control", control(facts, data).encode()),
        Entry("conffiles", "".join(settings).encode()),
        Entry("md5sums", _md5sums(data, listener).encode()),
        *(Entry(name, filled(f"control/{name}", values).encode(), program=True) for name in _SCRIPTS),
    ]


def control(facts: PackageFacts, data: Sequence[Entry]) -> str:
    manifest, source = facts.manifest, facts.manifest.source
    said = [f"{_word(manifest.plan.scheme)} of {_word(source.hub_id or source.given)}"] if source else []
    said.append(f"opened by {manifest.engine.project} {manifest.engine.version} and by no other version.")
    what = "a language model that answers questions" if facts.answers else "a network"
    fields = {
        "Package": facts.package,
        "Version": manifest.version,
        "Architecture": "arm64",
        "Maintainer": MAINTAINER,
        "Installed-Size": str(_installed_kib(data)),
        "Depends": ", ".join(facts.depends()),
        "Section": "misc",
        "Priority": "optional",
        "Description": f"{manifest.name}: {what}, on this device",
    }
    lines = [f"{name}: {value}\n" for name, value in fields.items() if value]
    lines += [f" {line}\n" for line in _wrapped(", ".join(said))]
    if manifest.memory_bytes:
        lines.append(f" Memory: {manifest.memory_bytes >> 20} MiB, {_word(manifest.memory_how)}.\n")
    lines.append(f" The command {facts.package} asks it; its service keeps it loaded.\n" if facts.answers else "")
    return "".join(lines)


def copyright_text(facts: PackageFacts) -> str:
    """`copyright` in the machine-readable form 1.0 (DEP-5)."""
    notes = facts.manifest.licences
    names = {_licence(note) for note in notes} - {"Apache-2.0"}
    texts = "".join(f"\nLicense: {name}\n{_where(name, notes, facts.home)}" for name in sorted(names))
    places = {"model": f"{facts.home}/bundle/model/*", "runtime": f"{facts.home}/{'lib' if facts.python else 'bin'}/*"}
    stanzas = ((place, [note for note in notes if note.part == part]) for part, place in places.items())
    parts = "\n".join(_stanza(place, together) for place, together in stanzas if together)
    return filled("copyright", {"name": facts.manifest.name, "parts": parts, "licences": texts}).rstrip("\n") + "\n"


def changelog_gz(facts: PackageFacts) -> bytes:
    """The only entry there is: a bundle has no history of its own."""
    text = (
        f"{facts.package} ({facts.manifest.version}) unstable; urgency=medium\n\n"
        "  * Built by edgeshrink; what went into it is told by report.html\n    beside the model.\n\n"
        f" -- {MAINTAINER}  {_DATE}\n"
    )
    packed = io.BytesIO()
    stored = StoredGzip(packed)
    stored.write(text.encode())
    stored.finish()
    # Stored, for bytes that depend on no version of zlib; the header says what tools look for.
    content = bytearray(packed.getvalue())
    content[_GZIP_EXTRA_FLAGS] = _SMALLEST
    return bytes(content)


def _stanza(place: str, notes: Sequence[LicenceNote]) -> str:
    """One for a place: of two the last alone would count."""
    holders = "\n ".join(f"{_word(note.name)}: see its licence's text" for note in notes)
    names = " and ".join(sorted({_licence(note) for note in notes}))
    said = "".join(f"\n {_word(note.name)}: {_word(note.note)}" for note in notes if note.note)
    if place.endswith("/lib/*"):
        said += "\n Every package there has its licence in its folder *.dist-info."
    comment = f"Comment:{said}\n" if said else ""
    return f"Files: {place}\nCopyright: {holders}\nLicense: {names}\n{comment}"


def _where(name: str, notes: Sequence[LicenceNote], home: str) -> str:
    files = sorted({file for note in notes if _licence(note) == name for file in note.files})
    if not files:
        return " The source states it, and brought no text of it.\n"
    return "".join(f" See /{home}/bundle/{_word(file)}\n" for file in files)


def _licence(note: LicenceNote) -> str:
    name = re.sub(r"[^A-Za-z0-9.+-]+", "-", note.id).strip("-")
    if name.lower() == "apache-2.0":
        return "Apache-2.0"
    return name or f"{note.part}-unstated"


def _word(text: str) -> str:
    """On one line, whatever it was."""
    return " ".join(plain(text).split()) or "unknown"


def _wrapped(text: str) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) >= _LINE:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return [*lines, line]


def _installed_kib(data: Sequence[Entry]) -> int:
    """As dpkg-gencontrol counts: files in whole KiB, a folder as one."""
    folders = {parent for entry in data for parent in PurePosixPath(entry.name).parents}
    return len(folders) + sum(-(-entry.nbytes // 1024) for entry in data)


def _md5sums(data: Sequence[Entry], listener: Listener) -> str:
    lines = []
    for entry in data:
        if not entry.name.startswith("etc/"):
            digest = hashlib.md5(usedforsecurity=False)
            pour(entry, digest.update, listener)
            lines.append(f"{digest.hexdigest()}  {entry.name}\n")
    return "".join(lines)
