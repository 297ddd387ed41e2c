"""`root/`: what the package puts on a device, at the same places, plain to see."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from edgeshrink.bundle.archives.entries import Entry, copy_hashed, pour, tree
from edgeshrink.bundle.cargo import PROGRAM_MODE, Cargo, lay, write_file
from edgeshrink.bundle.jetson.control import changelog_gz, copyright_text
from edgeshrink.bundle.jetson.facts import PackageFacts
from edgeshrink.bundle.jetson.python_runtime import lay_python_runtime
from edgeshrink.bundle.jetson.templates import filled
from edgeshrink.core.bundle import BundleManifest, BundleOptions
from edgeshrink.core.events import Listener
from edgeshrink.core.plain import plain
from edgeshrink.errors import DataError

ROOT = "root"
DIGESTS = "SHA256SUMS"
_README = "README.md"
_UNITS = {
    "socket.socket": ".socket",
    "service.service": ".service",
    "check.service": "-check.service",
    "check.timer": "-check.timer",
}


def lay_tree(cargo: Cargo, facts: PackageFacts, options: BundleOptions, listener: Listener) -> tuple[str, ...]:
    """Write `root/` and README.md into the bundle; sentences the person should read."""
    root = cargo.folder / ROOT
    home = root / facts.home
    said: tuple[str, ...] = ()
    for name in cargo.files:
        cargo.lay(name, f"{ROOT}/{facts.home}/bundle/{name}")
    if options.runner is not None and not facts.python:
        copy_hashed(options.runner, home / "bin" / "edgeshrink-runner", listener)
        (home / "bin" / "edgeshrink-runner").chmod(PROGRAM_MODE)
    if facts.python:
        said = lay_python_runtime(home, cargo.manifest, options, listener)
    if (chat := cargo.manifest.chat) is not None and not facts.python:
        write_file(home / "chat" / "before", chat.before)
        write_file(home / "chat" / "after", chat.after)
    write_file(home / "settings", facts.settings())
    write_file(home / "about.txt", about(cargo.manifest))
    values = facts.values(sum(path.stat().st_size for path in home.rglob("*") if path.is_file()))
    running = filled("running-service.md" if facts.answers else "running-network.md", values).rstrip("\n")
    cargo.write(_README, filled(_README, {**values, "running": running}))
    lay(cargo.folder / _README, home / _README)
    _lay_system(root, facts, values)
    write_file(home / DIGESTS, "".join(_digests(home, cargo, listener)))
    return said


def about(manifest: BundleManifest) -> str:
    """What `about` prints on the device."""
    source = manifest.source
    limit = manifest.memory_limit_bytes
    lines = [
        f"{manifest.name} {manifest.version}",
        f"made of   {source.hub_id or source.given}, revision {source.revision or 'unknown'}" if source else "",
        f"as        {manifest.format} {manifest.plan.scheme}, sha256 {manifest.artifact_sha256}",
        f"opened by {manifest.engine.project} {manifest.engine.version}, and by no other version",
        f"context   {manifest.context} tokens",
        f"memory    {manifest.memory_bytes} bytes, {manifest.memory_how}" if manifest.memory_bytes else "",
        f"limit     {limit} bytes, the device profile's budget" if limit else "",
        *(f"licence   {note.part} {note.name}: {note.id or 'not stated'}" for note in manifest.licences),
    ]
    return "".join(f"{plain(line)}\n" for line in lines if line)


def refuse_odd_names(manifest: BundleManifest) -> None:
    """A list of digests has a line for a file."""
    for file in manifest.files:
        if plain(file.name) != file.name or "\\" in file.name:
            raise DataError(f"the file {file.name!r} cannot stand in a list of digests", hint="rename it in the model")


def _lay_system(root: Path, facts: PackageFacts, values: dict[str, str]) -> None:
    package = facts.package
    write_file(root / "usr/bin" / package, filled("launcher.sh", values), program=True)
    write_file(root / "etc/default" / package, filled("default", values))
    if facts.answers:
        for template, ending in _UNITS.items():
            write_file(root / "lib/systemd/system" / f"{package}{ending}", filled(template, values))
    write_file(root / "usr/share/doc" / package / "copyright", copyright_text(facts))
    write_file(root / "usr/share/doc" / package / "changelog.gz", changelog_gz(facts))
    overrides = "lintian-overrides-python" if facts.python else "lintian-overrides"
    write_file(root / "usr/share/lintian/overrides" / package, filled(overrides, values))


def _digests(home: Path, cargo: Cargo, listener: Listener) -> Iterator[str]:
    """A line for every file below `home`, as sha256sum writes them; listed files were read once already."""
    known = {f"bundle/{file.name}": file.sha256 for file in cargo.manifest.files}
    for entry in tree(home):
        yield f"{known.get(entry.name) or _sha256(entry, listener)}  {entry.name}\n"


def _sha256(entry: Entry, listener: Listener) -> str:
    digest = hashlib.sha256()
    pour(entry, digest.update, listener)
    return digest.hexdigest()
