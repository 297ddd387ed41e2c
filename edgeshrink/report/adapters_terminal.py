"""Adapters in the terminal: a table whole at 80 columns, and what is to be said of single ones."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from edgeshrink.core.report import Report
from edgeshrink.report.adapters_told import adapter_rows, adapters_text, compared_text, kl_text
from edgeshrink.report.pieces import item, outcome_text, table


def render_adapters(report: Report) -> RenderableType:
    """`report` has some."""
    rows = adapter_rows(report)
    shown = table()
    shown.add_column("adapter", overflow="fold")
    for name in ("size", "of the base", "rank", "mean KL"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("outcome", no_wrap=True)
    for row in rows:
        shown.add_row(Text(row.name), row.size, row.share, row.rank, kl_text(row), outcome_text(row.outcome))
    parts: list[RenderableType] = [Text(adapters_text(report), style="bold", overflow="fold"), shown]
    parts.append(item("-", compared_text(report), "dim"))
    for row in rows:
        if row.outcome == "FAIL" and row.why:  # why a line is unknown stands under the verdict
            parts.append(item("!", f"{row.name}: {row.why}", "yellow"))
        if row.lost:
            parts.append(item("-", f"{row.name} lost most: {row.lost}", "dim"))
        parts += [item("!", note, "yellow") for note in row.notes]
    return Group(*parts)
