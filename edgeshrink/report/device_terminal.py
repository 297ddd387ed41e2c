"""A device session on the terminal: where it ran, decode by depth, memory, power, a long decode, parity."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edgeshrink.core.measurement import Measurements
from edgeshrink.core.reading import Measured
from edgeshrink.core.report import Report
from edgeshrink.report.device_told import device_text
from edgeshrink.report.format import plain, short_text
from edgeshrink.report.pieces import facts_grid, item, table
from edgeshrink.report.session_told import (
    differs,
    has_power,
    paging_text,
    partial_text,
    power_facts,
    session_facts,
    speed_text,
    warnings,
)

_WARN = "yellow"


def add_where(facts: Table, report: Report) -> None:
    """Rows of the header: where the session ran, and what that does to its figures."""
    seen = report.measurements
    if seen is None or seen.device is None:
        return
    facts.add_row("ran on", Text(plain(device_text(seen.device))))
    for text in warnings(report):
        facts.add_row("", Text(plain(text), style=_WARN))


def partial_item(report: Report) -> list[RenderableType]:
    """A session that ended early says so before any figure."""
    text = partial_text(report.measurements)
    return [Text(), item("!", text, "bold yellow")] if text else []


def device_parts(report: Report) -> list[RenderableType]:
    """What the verdict's lines do not say of a device session; of one of this host's Python, its power."""
    seen = report.measurements
    if seen is None:
        return []
    told = list(_facts(report, seen)) if seen.device is not None else _power(seen)
    if not told:
        return []
    facts = facts_grid()
    for name, text, style in told:
        facts.add_row(name, Text(plain(text), style=style))
    heading = "Power" if seen.device is None else "The session on the device"
    parts: list[RenderableType] = [Text(), Text(heading, style="bold"), Padding(facts, (0, 0, 0, 2))]
    if len(seen.decode_points) > 1:
        parts += [Text(), _depths(seen)]
    if seen.device is not None and (notes := _notes(seen)):
        parts += [Text(), *(item("-", note, "dim") for note in notes)]
    return [Group(*parts)]


def _notes(seen: Measurements) -> list[str]:
    """Paging has a row of its own."""
    paged = bool(paging_text(seen.memory))
    return [note for note in seen.notes if not (paged and note.startswith("paging"))]


def _power(seen: Measurements) -> list[tuple[str, str, str]]:
    """Where there is none, the verdict's line on energy says why."""
    if seen.power is None or not has_power(seen):
        return []
    style = "" if seen.power.origin == "measured" else _WARN
    return [(name, text, style) for name, text in power_facts(seen)]


def _facts(report: Report, seen: Measurements) -> Iterator[tuple[str, str, str]]:
    """Name, text, style: yellow is what a reader must not pass over."""
    sure = seen.power is None or seen.power.origin in ("measured", "unavailable")
    beware = {
        "Paging": True,
        "Energy": not sure,
        "Power source": not sure,
        "Throttling": seen.sustained is not None and bool(seen.sustained.throttling),
        "Slowed down": True,
        "Parity": differs(seen),
    }
    if text := speed_text(seen):
        yield "Speed", text, _WARN if warnings(report) else ""
    for name, text in session_facts(report, seen):
        yield name, text, _WARN if beware.get(name) else ""


def _depths(seen: Measurements) -> RenderableType:
    rows = table()
    rows.add_column("decode with so many tokens before", justify="right", no_wrap=True)
    for name in ("tok/s", "p50, ms", "p95, ms", "p99, ms"):
        rows.add_column(name, justify="right", no_wrap=True)
    wide = all(len(short_text(point.decode_tok_s, "", spread=True)) <= 18 for point in seen.decode_points)
    for point in seen.decode_points:
        pauses = (point.inter_token_p50_ms, point.inter_token_p95_ms, point.inter_token_p99_ms)
        rows.add_row(
            f"{point.depth_tokens:,}",
            Text(short_text(point.decode_tok_s, "", spread=wide)),
            *(short_text(pause, "") for pause in pauses),
        )
    missing = {
        reading.reason: None
        for point in seen.decode_points
        for reading in (
            point.decode_tok_s,
            point.inter_token_p50_ms,
            point.inter_token_p95_ms,
            point.inter_token_p99_ms,
        )
        if not isinstance(reading, Measured)
    }
    return Group(rows, *(item("—", reason, "dim") for reason in missing))
