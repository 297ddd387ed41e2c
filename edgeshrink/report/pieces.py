"""Pieces that all tables of the terminal are made of."""

from __future__ import annotations

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edgeshrink.core.verdict import Outcome
from edgeshrink.report.format import MARKS, plain

STYLES: dict[Outcome, str] = {"PASS": "bold green", "FAIL": "bold red", "UNKNOWN": "bold yellow"}


def table(padding: int = 1) -> Table:
    """Lines under the head only; `padding` 0 leaves one space between columns, 1 leaves two."""
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, padding), collapse_padding=True)


def facts_grid() -> Table:
    """Names at the left, texts that wrap at the right."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def outcome_text(outcome: Outcome) -> Text:
    return Text(f"{MARKS[outcome]} {outcome}", style=STYLES[outcome])


def item(mark: str, text: str, style: str) -> RenderableType:
    """A line with a hanging indent."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, style=style)
    grid.add_column(overflow="fold", style=style)
    grid.add_row(mark, Text(plain(text)))
    return Padding(grid, (0, 0, 0, 2))
