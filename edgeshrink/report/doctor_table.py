"""What the doctor found, as a table: one line a thing, the fix under it."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgeshrink.core.doctor import DoctorLine, DoctorReport, Status
from edgeshrink.report.format import DASH, plain

_MARKS: dict[Status, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "warn": ("!", "yellow"),
    "missing": ("✗", "bold red"),
    "absent": (DASH, "dim"),
}


def render_doctor(report: DoctorReport) -> RenderableType:
    """Every line under its section, then one sentence that says whether a build can work here."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(max_width=28, overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    section = ""
    for line in _condensed(report.lines):
        if line.section != section:
            section = line.section
            table.add_row("", Text(plain(section), style="bold"), "")
        mark, style = _MARKS[line.status]
        table.add_row(Text(mark, style=style), Text(plain(line.name)), _detail(line, style))
    return Group(table, Text(), _sentence(report))


def _condensed(lines: tuple[DoctorLine, ...]) -> list[DoctorLine]:
    """Packages that are as they should be share one line."""
    fine = [line for line in lines if line.section == "packages" and line.status == "ok"]
    shown = [line for line in lines if line not in fine]
    if fine:
        names = ", ".join(f"{line.name} {line.detail.split()[0]}" for line in fine)
        start = next((i for i, line in enumerate(shown) if line.section == "packages"), 0)
        where = start or next((i for i, line in enumerate(shown) if line.section != "python"), len(shown))
        shown.insert(where, DoctorLine("packages", f"{len(fine)} as tested", "ok", names))
    return shown


def _detail(line: DoctorLine, style: str) -> Text:
    text = Text(plain(line.detail), style="" if line.status == "ok" else style)
    if line.fix:
        text.append(f"\nfix: {plain(line.fix)}", style="default" if line.status != "absent" else "dim")
    return text


def _sentence(report: DoctorReport) -> Text:
    if not report.can_build:
        count = sum(line.status == "missing" for line in report.lines)
        words = f"{count} of the things that a build needs {'is' if count == 1 else 'are'} missing"
        return Text(words, style="bold red")
    warnings = sum(line.status == "warn" for line in report.lines)
    if warnings:
        words = f"{warnings} {'line needs' if warnings == 1 else 'lines need'} a look"
        return Text(f"builds work here; {words}", style="yellow")
    return Text("everything that a build needs is here", style="bold green")
