"""Targets and device profiles with their budgets, as tables that are whole at 80 columns."""

from __future__ import annotations

from itertools import groupby

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgeshrink.core.budget import Budget
from edgeshrink.core.listing import ProfileRow, TargetsListing
from edgeshrink.report.format import DASH, human_bytes, plain

_HEADS = ("file\n≤", "RAM\n≤", "TTFT\ns ≤", "tok/s\n≥", "p99\nms ≤", "mJ/tok\n≤", "KL\n≤", "same\ntop ≥", "ppl\n× ≤")


def render_targets(listing: TargetsListing) -> RenderableType:
    """Two tables, and below them what could not be read."""
    parts: list[RenderableType] = [_targets(listing), Text(), _profiles(listing.profiles)]
    parts.append(
        Text(
            "TTFT: time to first token, 95th percentile, of a prompt of so many tokens (@). tok/s: decode speed. "
            "p99: between two tokens. KL, same top, ppl: quality against the unquantized model.",
            style="dim",
        )
    )
    for row in listing.profiles:
        if row.origin == "yours":
            parts.append(Text(f"{plain(row.id)} is yours: {plain(row.file)}", style="dim"))
    for broken in listing.broken:
        parts.append(Text(f"✗ {plain(broken.id)} cannot be used. ", style="bold red"))
        parts += [Text(f"  {plain(line)}", style="red", overflow="fold") for line in broken.problem.splitlines()]
    return Group(*parts)


def _targets(listing: TargetsListing) -> Table:
    table = _table(1)
    table.add_column("target", no_wrap=True)
    table.add_column("what", overflow="fold")
    table.add_column("format, first scheme", overflow="fold")
    table.add_column("default profile", no_wrap=True)
    for row in listing.targets:
        formats = ", ".join(f"{name} {scheme}" for name, scheme in row.formats)
        table.add_row(Text(plain(row.id), style="bold"), plain(row.name), plain(formats), plain(row.default_profile))
    return table


def _profiles(rows: tuple[ProfileRow, ...]) -> Table:
    table = _table(0)
    table.add_column("device profile", no_wrap=True)
    for head in _HEADS:
        table.add_column(head, justify="right", no_wrap=True)
    for family, members in groupby(rows, key=lambda row: row.family):
        table.add_row(Text(family, style="dim"))
        for row in members:
            table.add_row(Text(plain(row.id), style="bold"), *_cells(row.budget))
    return table


def _cells(budget: Budget) -> tuple[str, ...]:
    quality = budget.quality
    ttft = budget.ttft_p95_ms_max
    return (
        _bytes(budget.artifact_bytes_max),
        _bytes(budget.peak_rss_bytes_max),
        DASH if ttft is None else f"{ttft / 1000:g}@{budget.ttft_prompt_tokens}",
        _plain(budget.decode_tok_s_min),
        _plain(budget.inter_token_p99_ms_max),
        _plain(budget.energy_mj_per_token_max),
        _plain(quality.mean_kl_max),
        DASH if quality.same_top_share_min is None else f"{100 * quality.same_top_share_min:g}%",
        _plain(quality.perplexity_ratio_max),
    )


def _bytes(value: int | None) -> str:
    """`2.5G`: binary units without their ending, as the columns are narrow and the head says bytes."""
    if value is None:
        return DASH
    figure, unit = human_bytes(value).split()
    trimmed = figure.rstrip("0").rstrip(".") if "." in figure else figure
    return f"{trimmed}{unit.removesuffix('iB')}"


def _plain(value: float | None) -> str:
    return DASH if value is None else f"{value:g}"


def _table(padding: int) -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, padding), collapse_padding=True)
