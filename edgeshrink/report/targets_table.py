"""Targets and device profiles with their budgets, as tables that are whole at 80 columns."""

from __future__ import annotations

from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgeshrink.core.budget import Budget
from edgeshrink.core.listing import ProfileRow, TargetsListing
from edgeshrink.report.format import DASH, human_bytes, plain
from edgeshrink.report.pieces import table

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
    parts += [Text(text, style="dim") for text in _network_limits(listing.profiles)]
    for row in listing.profiles:
        if row.origin == "yours":
            parts.append(Text(f"{plain(row.id)} is yours: {plain(row.file)}", style="dim"))
    for broken in listing.broken:
        parts.append(Text(f"✗ {plain(broken.id)} cannot be used. ", style="bold red"))
        parts += [Text(f"  {plain(line)}", style="red", overflow="fold") for line in broken.problem.splitlines()]
    return Group(*parts)


def _targets(listing: TargetsListing) -> Table:
    rows = table(1)
    rows.add_column("target", no_wrap=True)
    rows.add_column("what", overflow="fold")
    rows.add_column("formats", no_wrap=True)
    rows.add_column("first scheme", no_wrap=True)
    rows.add_column("default profile", no_wrap=True)
    for row in listing.targets:
        formats = "\n".join(plain(name) for name, _ in row.formats)
        schemes = "\n".join(plain(scheme) for _, scheme in row.formats)
        rows.add_row(Text(plain(row.id), style="bold"), plain(row.name), formats, schemes, plain(row.default_profile))
    return rows


def _profiles(profiles: tuple[ProfileRow, ...]) -> Table:
    rows = table(0)
    rows.add_column("device profile", no_wrap=True)
    for head in _HEADS:
        rows.add_column(head, justify="right", no_wrap=True)
    for family, members in groupby(profiles, key=lambda row: row.family):
        rows.add_row(Text(family, style="dim"))
        for row in members:
            rows.add_row(Text(plain(row.id), style="bold"), *_cells(row.budget))
    return rows


def _network_limits(rows: tuple[ProfileRow, ...]) -> list[str]:
    """What networks are judged by beside size and RAM, once for all profiles that have the same limits."""
    found: dict[str, list[str]] = {}
    for row in rows:
        floor, slowest = row.budget.quality, row.budget.inference_p95_ms_max
        limits = (
            "" if slowest is None else f"one run p95 ≤ {slowest:g} ms",
            "" if floor.output_cosine_min is None else f"output cosine ≥ {floor.output_cosine_min:g}",
            "" if floor.score_drop_max is None else f"score drop ≤ {floor.score_drop_max:g}",
        )
        if text := ", ".join(limit for limit in limits if limit):
            found.setdefault(text, []).append(plain(row.id))
    if len(found) == 1:
        return [f"Networks: {text}." for text in found]
    return [f"Networks on {', '.join(ids)}: {text}." for text, ids in found.items()]


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
