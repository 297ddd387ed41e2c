"""Adapters beside an artifact, in words and rows that the terminal, the page and the card share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgeshrink.core.adapter import BuiltAdapter
from edgeshrink.core.reading import Reading, Unmeasured
from edgeshrink.core.report import Report
from edgeshrink.core.verdict import Outcome
from edgeshrink.report.behaviour_rows import slice_rows, worst_first
from edgeshrink.report.behaviour_told import loss_text
from edgeshrink.report.format import DASH, human, human_bytes, plain, reading_text

_TARGETS = 7


@dataclass(frozen=True, slots=True)
class AdapterRow:
    """One adapter, spelled. `lost`: what the pair lost most against both in full precision, "" where no suite was run.
    `why`: what decided its outcome; `facts`: names and texts of all else."""

    name: str
    file: str
    size: str
    share: str
    rank: str
    mean_kl: Reading
    outcome: Outcome
    why: str
    lost: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def adapter_rows(report: Report) -> tuple[AdapterRow, ...]:
    """Every text without control characters, not yet escaped for markup."""
    reasons = {line.name: line.why for line in report.verdict.lines}
    return tuple(_row(one, reasons.get(f"with the adapter {one.name}", "")) for one in report.adapters)


def adapters_text(report: Report) -> str:
    """`2 adapters of this base, 310 KiB together: 4.6 % of it`, "" where there are none."""
    if not report.adapters:
        return ""
    count, nbytes = len(report.adapters), sum(one.nbytes for one in report.adapters)
    what = "1 adapter" if count == 1 else f"{count:,} adapters"
    together = " together" if count > 1 else ""
    share = human(nbytes / report.artifact.nbytes, "share")
    return f"{what} of this base, {human_bytes(nbytes)}{together}: {share} of it"


def compared_text(report: Report) -> str:
    """What the figures of the adapters are."""
    known = [one.quality for one in report.adapters if one.quality is not None]
    on = f", over {known[0].tokens:,} tokens of {plain(known[0].text)}" if known else ""
    return f"Base and adapter as they run, against both in full precision{on}"


def _row(one: BuiltAdapter, why: str) -> AdapterRow:
    return AdapterRow(
        name=plain(one.name),
        file=plain(one.file),
        size=human_bytes(one.nbytes),
        share=human(one.share_of_base, "share"),
        rank=f"{one.rank:,}",
        mean_kl=one.mean_kl,
        outcome=one.outcome,
        why=plain(why),
        lost=_lost(one),
        facts=tuple((name, plain(text)) for name, text in _facts(one)),
        notes=tuple(map(plain, one.notes)),
    )


def _lost(one: BuiltAdapter) -> str:
    if one.behaviour is None:
        return ""
    moved = worst_first(slice_rows(one.behaviour, None))
    if not moved:
        return f"none of {len(one.behaviour.slices):,} slices, beyond noise"
    first = moved[0]
    return f"{plain(first.slice.name)}: {loss_text(first.metric.loss, first.metric.unit)}"


def _facts(one: BuiltAdapter) -> Iterator[tuple[str, str]]:
    yield "File", f"{one.file}, {one.nbytes:,} bytes"
    yield "Digest", one.sha256
    if one.parameters:
        targets = ", ".join(one.targets[:_TARGETS]) + ("" if len(one.targets) <= _TARGETS else ", ...")
        yield "Updates", f"{one.parameters:,} numbers, rank {one.rank}, alpha {one.alpha:g}, of {targets}"
    if one.scheme is not None:
        yield "Trained on", f"its base at {one.scheme}"
    yield "License", one.license or "not stated"
    yield "Mean KL", reading_text(one.mean_kl, "nats")
    if one.quality is not None:
        yield "Same top token", reading_text(one.quality.same_top_share, "share")
        yield "Perplexity ratio", reading_text(one.quality.perplexity_ratio, "x")
        for check in one.quality.checks:
            yield f"Check: {check.name}", f"{check.outcome}: {check.detail}"
    if lost := _lost(one):
        yield "Lost most", lost


def kl_text(one: AdapterRow) -> str:
    """For a narrow cell."""
    return DASH if isinstance(one.mean_kl, Unmeasured) else reading_text(one.mean_kl, "nats", spread=False)
