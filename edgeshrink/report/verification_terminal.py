"""What `verify` found: who signed what, or what is not as it was signed. And a new pair of keys."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from edgeshrink.core.signature import BuildIntegrity, FindingKind, Verification
from edgeshrink.report.format import human_bytes, plain
from edgeshrink.report.pieces import facts_grid, item, table

_MOST = 200
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_ORDER: tuple[FindingKind, ...] = (
    "signature", "changed", "missing", "renamed", "added", "link", "special", "clash", "content",
)  # fmt: skip


def render_verification(found: Verification) -> RenderableType:
    """Facts of a bundle that is as it was signed; else every finding, and nothing that the bundle says of itself."""
    if found.ok:
        facts = facts_grid()
        for name, text in _facts(found):
            facts.add_row(name, Text(plain(text)))
        head = Text(f"✓ {plain(found.folder)} is what was signed, byte for byte", style="bold green")
        return Group(head, Padding(facts, (0, 0, 0, 2)))
    count = len(found.findings)
    things = "1 thing differs" if count == 1 else f"{count:,} things differ"
    parts: list[RenderableType] = [
        Text(f"✗ {plain(found.folder)} is not what was signed: {things}", style="bold red"),
        _findings(found),
    ]
    if count > _MOST:
        parts.append(Text(f"and {count - _MOST:,} more; --json lists them all", style="dim"))
    parts.append(Text("Do not use it; take it anew from who signed it.", style="bold"))
    return Group(*parts)


def render_integrity(found: BuildIntegrity) -> RenderableType:
    """A build's folder beside its own manifest."""
    if found.ok:
        return Group(
            Text(f"✓ {plain(found.folder)} is as it was written", style="bold green"),
            item("!", "This proves that it is whole, not who made it: nobody signs a build. A bundle is signed.", ""),
        )
    problems = [item("✗", problem, "red") for problem in found.problems[:_MOST]]
    return Group(Text(f"✗ {plain(found.folder)} is not as it was written", style="bold red"), *problems)


def render_keys(private: str, public: str, fingerprint: str, *, encrypted: bool) -> RenderableType:
    facts = facts_grid()
    kept = "encrypted by its passphrase" if encrypted else "not encrypted"
    facts.add_row(
        "private key", Text(f"{plain(private)}\nkeep it to yourself, out of the bundle and out of git; {kept}")
    )
    facts.add_row("public key", Text(f"{plain(public)}\ngive it to whoever verifies your bundles"))
    facts.add_row("fingerprint", Text(fingerprint))
    return facts


def _findings(found: Verification) -> RenderableType:
    rows = table(1)
    rows.add_column("what", no_wrap=True)
    rows.add_column("file", overflow="fold")
    rows.add_column("", overflow="fold")
    ordered = sorted(found.findings, key=lambda finding: (_ORDER.index(finding.kind), finding.name))
    for finding in ordered[:_MOST]:
        rows.add_row(Text(finding.kind, style="bold red"), Text(plain(finding.name)), Text(plain(finding.detail)))
    return rows


def _facts(found: Verification) -> Iterator[tuple[str, str]]:
    claims, bundle = found.claims, found.bundle
    if bundle is not None:
        yield "bundle", f"{bundle.name} {bundle.version}, for {bundle.kind}"
        size = human_bytes(bundle.artifact_bytes)
        yield "artifact", f"{bundle.format} {bundle.plan.scheme}, {size}, sha256 {bundle.artifact_sha256}"
        yield "engine", f"{bundle.engine.project} {bundle.engine.version}"
        if bundle.source is not None:
            revision = f" at {bundle.source.revision}" if bundle.source.revision else ""
            yield "made from", f"{bundle.source.given}{revision}"
    if claims is not None:
        yield "signed by", f"{claims.signer or 'nobody that gave a name'} (the name is the signer's own word)"
        yield "key" if _FINGERPRINT.fullmatch(found.key) else "identity", found.key
        yield "signed at", f"{claims.signed_at} (by the signer's clock)"
        yield "with", ", ".join(f"{name} {version}" for name, version in claims.tools.items())
    yield "checked", f"{found.files:,} files, {human_bytes(found.nbytes)}"
