"""What `delta` made and what `apply` wrote, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from edgeshrink.core.delta import AppliedSummary, ChangedTensor, DeltaSummary
from edgeshrink.report.format import human_bytes, plain
from edgeshrink.report.pieces import facts_grid

_MOST_NAMES = 8


def render_delta(made: DeltaSummary) -> RenderableType:
    share = f", {made.patch_bytes / made.new_bytes:.1%} of it" if made.new_bytes else ""
    head = f"✓ {plain(made.patch)}: {human_bytes(made.patch_bytes)} for a build of {human_bytes(made.new_bytes)}{share}"
    facts = facts_grid()
    for name, text in _delta_facts(made):
        facts.add_row(name, Text(plain(text)))
    return Group(Text(head, style="bold green"), Padding(facts, (0, 0, 0, 2)))


def render_applied(done: AppliedSummary) -> RenderableType:
    facts = facts_grid()
    linked = f", {done.linked:,} of them links to bytes that were there" if done.linked else ""
    facts.add_row("files", Text(f"{done.files:,}{linked}"))
    facts.add_row("written", Text(f"{human_bytes(done.written_bytes)} of {human_bytes(done.nbytes)}"))
    if done.key:
        facts.add_row("patch signed by", Text(plain(done.signed_by or "somebody without a name")))
        facts.add_row("", Text(plain(f"at {done.signed_at}, key {done.key}" if done.signed_at else f"key {done.key}")))
    else:
        facts.add_row("patch signed by", Text("nobody was asked"))
    head = Text(f"✓ {plain(done.result)} is the new build, every byte checked", style="bold green")
    return Group(head, Padding(facts, (0, 0, 0, 2)))


def _delta_facts(made: DeltaSummary) -> Iterator[tuple[str, str]]:
    if made.tensors:
        names = [tensor.name for tensor in _by_name(made.tensors)]
        nbytes = sum(tensor.nbytes for tensor in _by_name(made.tensors))
        yield "tensors changed", f"{len(names):,}, {human_bytes(nbytes)}: {_listed(names)}"
    for label, files in (("changed", made.changed), ("added", made.added), ("removed", made.removed)):
        if files:
            yield f"files {label}", f"{len(files):,}: {_listed(files)}"
    if made.kept:
        yield "files unchanged", f"{len(made.kept):,}"
    yield "new bytes", f"{human_bytes(made.fresh_bytes)} before they were packed"
    yield "signed", f"{made.signature}, key {made.key}" if made.key else "no: it is applied with --unsigned"


def _by_name(tensors: tuple[ChangedTensor, ...]) -> list[ChangedTensor]:
    """One each, however many files hold it."""
    return list({tensor.name: tensor for tensor in tensors}.values())


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
