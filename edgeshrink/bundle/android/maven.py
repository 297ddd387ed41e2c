"""A local Maven repository that holds the AAR: Gradle takes it by its coordinates.

Source: https://maven.apache.org/repository/layout.html, https://maven.apache.org/ref/current/maven-repository-metadata/.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from xml.sax.saxutils import escape

from edgeshrink.bundle.android.naming import Names
from edgeshrink.bundle.android.templates import filled
from edgeshrink.bundle.archives.entries import pour_stream
from edgeshrink.bundle.cargo import Cargo, lay
from edgeshrink.core.events import Listener
from edgeshrink.core.plain import plain

_DIGESTS = ("md5", "sha1", "sha256")


def write_maven(cargo: Cargo, names: Names, aar: Path, listener: Listener) -> None:
    """Write `android/maven`; the AAR is linked, not copied. No time of writing is said: it would differ each time."""
    home = f"android/maven/{names.group.replace('.', '/')}/{names.artifact}"
    place = f"{home}/{names.version}/{names.artifact}-{names.version}"
    values = {"group": names.group, "artifact": names.artifact, "version": names.version}
    engine = cargo.manifest.engine
    pom = filled(
        "maven",
        "artifact.pom",
        **values,
        description=_text(f"A {cargo.manifest.format} model for {engine.project} ({engine.package} {engine.version})"),
        licences=_licences(cargo),
    )
    for path in (
        lay(aar, cargo.folder / f"{place}.aar"),
        cargo.write(f"{place}.pom", pom),
        cargo.write(f"{home}/maven-metadata.xml", filled("maven", "maven-metadata.xml", **values)),
    ):
        for kind, digest in _digests(path, listener).items():
            cargo.write(f"{path.relative_to(cargo.folder).as_posix()}.{kind}", digest)


def _digests(path: Path, listener: Listener) -> dict[str, str]:
    """Every digest of a file in one reading. MD5 and SHA-1 are what Maven's tools look for: the signature protects."""
    running = {kind: hashlib.new(kind, usedforsecurity=False) for kind in _DIGESTS}

    def update(chunk: bytes) -> None:
        for digest in running.values():
            digest.update(chunk)

    with path.open("rb") as stream:
        pour_stream(stream, update, f"digests of {path.name}", listener)
    return {kind: digest.hexdigest() for kind, digest in running.items()}


def _licences(cargo: Cargo) -> str:
    lines = [
        f"    <license>\n      <name>{_text(licence.id)}</name>\n      <comments>{_text(licence.name)}</comments>\n"
        "    </license>\n"
        for licence in cargo.manifest.licences
        if licence.id
    ]
    return f"  <licenses>\n{''.join(lines)}  </licenses>\n" if lines else ""


def _text(said: str) -> str:
    """Of somebody's words: XML has no spelling at all for controls, lone surrogates and two more characters."""
    return escape("".join("\ufffd" if char in "\ufffe\uffff" else char for char in plain(said)))
