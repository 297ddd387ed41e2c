"""A behaviour on the terminal, whole at 80 columns: every slice with its loss, and what its gate says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.verdict import Verdict
from edgeshrink.report.behaviour_rows import SliceRow, slice_rows, worst_first
from edgeshrink.report.behaviour_told import (
    allowed_text,
    amount,
    asked_text,
    attribution_texts,
    confidence_text,
    fallback_text,
    figure_text,
    headline,
    loss_text,
    storage_text,
    tally_text,
    together_texts,
    unmeasured_texts,
)
from edgeshrink.report.format import DASH, plain
from edgeshrink.report.pieces import item, outcome_text, table
from edgeshrink.report.specimens import clipped, lines_of

_SPECIMENS = 3
_WIDEST = 60


def render_behaviour(behaviour: Behaviour, verdict: Verdict | None = None, *, brief: bool = False) -> RenderableType:
    """What the suite found, with the lines of `verdict` that look at one slice each.

    `brief`: only slices that lost or are not decided; the page has them all.
    """
    rows = slice_rows(behaviour, verdict)
    parts: list[RenderableType] = [_title(behaviour, rows)]
    shown = tuple(row for row in rows if not row.unmeasured and (not brief or _speaks(row)))
    parts += _tables(shown)
    hidden = sum(1 for row in rows if not row.unmeasured) - len(shown)
    if hidden:
        more = f"{hidden} more {'figure' if hidden == 1 else 'figures'}: nothing lost beyond noise, no gate open"
        parts.append(item("✓", more, "dim"))
    parts += [item(DASH, text, "dim") for text in unmeasured_texts(rows)]
    parts += [item("!", note, "yellow") for note in behaviour.notes]
    parts += _found(behaviour, rows)
    if not brief:
        parts += [Text(), item("-", confidence_text(behaviour), "dim")]
        if not isinstance(behaviour.reference_bytes_per_token, Unmeasured):
            parts.append(item("-", f"Stored reference: {storage_text(behaviour)}", "dim"))
    return Group(*parts)


def _speaks(row: SliceRow) -> bool:
    return row.moved or row.outcome in ("FAIL", "UNKNOWN")


def _title(behaviour: Behaviour, rows: Sequence[SliceRow]) -> RenderableType:
    head = Text(overflow="fold")
    head.append("Behaviour", "bold")
    head.append(f" against {plain(behaviour.reference)}")
    lines = [Text(asked_text(behaviour), style="dim", overflow="fold")]
    if tally := tally_text(rows):
        lines.append(Text(tally, overflow="fold"))
    moved = worst_first(rows)
    unknown = all(row.unmeasured for row in rows)
    style = "red" if any(row.outcome == "FAIL" for row in moved) else "yellow" if moved or unknown else "green"
    lines.append(Text(plain(headline(rows)), style=style, overflow="fold"))
    return Group(head, Padding(Group(*lines), (0, 0, 0, 2)))


def _tables(rows: Sequence[SliceRow]) -> Iterator[RenderableType]:
    paired = [row for row in rows if not row.distance]
    distances = [row for row in rows if row.distance]
    if paired:
        yield Text()
        yield _paired(paired)
    if distances:
        yield Text()
        yield _distances(distances)


def _paired(rows: Sequence[SliceRow]) -> Table:
    shown = table(0)
    shown.add_column("slice", overflow="fold", min_width=14)
    for name in ("reference", "this file", "points lost", "may lose"):
        shown.add_column(name, justify="right", no_wrap=name not in ("points lost", "may lose"))
    shown.add_column("gate", no_wrap=True)
    for row in rows:
        metric = row.metric
        shown.add_row(
            _name(row),
            figure_text(metric.reference, metric.unit),
            figure_text(metric.candidate, metric.unit),
            _lost(row, loss_text(metric.loss, metric.unit, named=False)),
            _allowed(row),
            outcome_text(row.outcome) if row.outcome else Text(DASH, style="dim"),
        )
    return shown


def _distances(rows: Sequence[SliceRow]) -> Table:
    shown = table(0)
    shown.add_column("slice", overflow="fold", min_width=14)
    shown.add_column("metric", overflow="fold")
    shown.add_column("away", justify="right")
    tops = [row.slice.metric("same top") for row in rows]
    if any(tops):
        shown.add_column("same top", justify="right", no_wrap=True)
    shown.add_column("may be", justify="right")
    shown.add_column("gate", no_wrap=True)
    for row, top in zip(rows, tops, strict=True):
        metric = row.metric
        same = [figure_text(top.candidate, top.unit) if top is not None else DASH] if any(tops) else []
        shown.add_row(
            Text(plain(row.slice.name)),
            Text(plain(metric.name)),
            _lost(row, loss_text(metric.loss, metric.unit)),
            *same,
            _allowed(row),
            outcome_text(row.outcome) if row.outcome else Text(DASH, style="dim"),
        )
    return shown


def _name(row: SliceRow) -> Text:
    first = row.metric is row.slice.metrics[0]
    plain_share = first and (row.metric.name == "right" and row.metric.unit == "share")
    name = Text(plain(row.slice.name))
    if not plain_share:
        name.append(f" {plain(row.metric.name)}", "dim")
    return name


def _lost(row: SliceRow, text: str) -> Text:
    return Text(text, style="red" if row.outcome == "FAIL" else "yellow" if row.moved else "")


def _allowed(row: SliceRow) -> Text:
    """The tightest of its limits, each turned into a loss: one narrow figure."""
    if not row.limits:
        return Text("\n".join(allowed_text(gate, row.metric) for gate in row.gates) or DASH)
    return Text(f"≤ {amount(round(min(row.limits), 4), row.metric.unit).removesuffix(' points')}")


def _found(behaviour: Behaviour, rows: Sequence[SliceRow]) -> Iterator[RenderableType]:
    """What lies behind the losses: worst items, slices that moved together, tensors, and when to hand over."""
    moved = worst_first(rows)
    worst = [row for row in moved if row.slice.worst][:_SPECIMENS]
    if worst:
        yield Text()
        yield Text("Worst items", style="bold")
    for row in worst:
        specimen = row.slice.worst[0]
        asked, wanted, was, now = (
            clipped(" ".join(lines_of(text).split()), _WIDEST) or "(nothing)"
            for text in (specimen.prompt, specimen.expected, specimen.reference, specimen.candidate)
        )
        yield item("-", f"{row.slice.name}: {asked}", "")
        yield item(" ", f"wanted {wanted}; reference {was}; this file {now}", "dim")
    if together := together_texts(behaviour):
        yield Text()
        yield Text("Moved together", style="bold")
        yield from (item("-", text, "") for text in together)
    if moved or not isinstance(behaviour.attributions, Unmeasured):
        yield Text()
        yield Text("Where it comes from", style="bold")
        yield from (item("-", text, "") for text in attribution_texts(behaviour))
    fit = behaviour.fallback
    yield Text()
    yield Text("When to hand over", style="bold")
    if isinstance(fit, Unmeasured):
        yield item(DASH, f"No threshold: {fit.reason}", "dim")
    else:
        yield item("-" if fit.kept else "!", fallback_text(fit), "" if fit.kept else "yellow")
