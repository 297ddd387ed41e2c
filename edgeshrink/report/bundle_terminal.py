"""A finished bundle in the terminal: what it is, who signed it, what to know and where to read on."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from edgeshrink.core.bundled import Bundled, Rebuilt
from edgeshrink.report.format import human_bytes, plain
from edgeshrink.report.pieces import facts_grid, item


def render_bundled(done: Bundled) -> RenderableType:
    manifest, claims = done.manifest, done.claims
    facts = facts_grid()
    facts.add_row("bundle", Text(plain(f"{manifest.name} {manifest.version} for {manifest.kind}")))
    facts.add_row("model", Text(plain(f"{manifest.main}, {human_bytes(manifest.artifact_bytes)}")))
    facts.add_row(
        "engine", Text(plain(f"{manifest.engine.project}, {manifest.engine.package} {manifest.engine.version}"))
    )
    facts.add_row(
        "licence", Text(plain("; ".join(f"{note.name}: {note.id or 'not stated'}" for note in manifest.licences)))
    )
    signed = "not signed" if claims is None else f"by {claims.signer or 'a key without a name'} at {claims.signed_at}"
    facts.add_row("signed", Text(plain(signed)))
    facts.add_row("folder", Text(plain(str(done.folder))))
    how = f"see {done.folder / 'README.md'}" + (
        "" if claims is None else f"; prove it: edgeshrink verify {done.folder} --key KEY.pub"
    )
    return Group(facts, Text(), *(item("-", note, "dim") for note in done.notes), item("→", how, ""))


def render_rebuilt(done: Rebuilt) -> RenderableType:
    """Whether the bytes are the same, and where they are not."""
    manifest = done.manifest
    facts = facts_grid()
    facts.add_row("bundle", Text(plain(f"{manifest.name} {manifest.version} for {manifest.kind}")))
    facts.add_row("compared", Text(f"{done.files:,} files, {human_bytes(done.nbytes)}, the signature left out"))
    facts.add_row("recorded", Text(plain(f"{', '.join(done.inputs)}: taken from the bundle")))
    parts: list[RenderableType] = [facts, Text()]
    parts += [item("!", text, "yellow") for text in done.drift]
    for found in done.differences:
        where = "" if found.offset is None else f" at byte {found.offset:,}"
        parts.append(item("✗", f"{found.name} differs{where}: {found.detail}", "red"))
    if done.identical:
        parts.append(item("✓", "the same, byte for byte", "bold green"))
    return Group(*parts)
