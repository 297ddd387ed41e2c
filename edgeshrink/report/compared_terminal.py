"""`edgeshrink compare` on the terminal: regressions first, then every figure, whole at 80 columns."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.text import Text

from edgeshrink.core.compared import Compared, ComparedRow, ComparedSide, Word
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.verdict import Outcome
from edgeshrink.report.format import DASH, MARKS, human_bytes, limit_text, line_label, number, plain, short_text
from edgeshrink.report.pieces import STYLES, facts_grid, item, outcome_text, table

_STYLES: dict[Word, str] = {"better": "green", "worse": "yellow", "same": "dim", "unclear": "dim"}
_LONGEST = len("long-context/instruction")
_IN_NAME = ("nats", "tok/s", "ms", "mJ")


def render_compared(compared: Compared) -> RenderableType:
    """Facts, one row a figure, the gates over several figures, and why where something is not clear."""
    count = sum(row.regression for row in compared.rows) + sum(line.outcome == "FAIL" for line in compared.gates)
    outcome: Outcome = "FAIL" if count else "PASS"
    said = f"{count} regression{'' if count == 1 else 's'}" if count else "no regression beyond noise"
    title = Text.assemble((f"{MARKS[outcome]} {said}", STYLES[outcome]))
    facts = facts_grid()
    facts.add_row("A", Text(_side(compared.a)))
    facts.add_row("B", Text(_side(compared.b)))
    facts.add_row("quality", Text(plain(compared.quality)))
    facts.add_row("device", Text(plain(compared.device)))
    parts: list[RenderableType] = [title, facts, Text(), _rows(compared.rows)]
    if compared.gates:
        parts += [Text(), _gates(compared)]
    parts += [item("✗", f"{_name(row)}: {row.why}", "red") for row in compared.rows if row.regression]
    parts += [item("✗", f"{line.name}: {line.why}", "red") for line in compared.gates if line.outcome == "FAIL"]
    parts += [item("?", f"{line.name}: {line.why}", "yellow") for line in compared.gates if line.outcome == "UNKNOWN"]
    parts += [item(DASH, f"{', '.join(names)}: {why}", "dim") for why, names in _unclear(compared.rows).items()]
    parts += [item("-", note, "dim") for note in compared.notes]
    return Group(*parts)


def _side(side: ComparedSide) -> str:
    source = ", from its report" if side.from_report else ""
    return plain(f"{side.name} ({side.format} {side.scheme}, {human_bytes(side.nbytes)}{source})")


def _unclear(rows: tuple[ComparedRow, ...]) -> dict[str, list[str]]:
    """Why figures are unclear -> the figures."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.word == "unclear" and not row.regression:
            noise = row.bounds is not None and row.allowed is not None
            why = (
                "noise could hide a loss of more than is allowed"
                if noise
                else row.why or "nothing says what is allowed"
            )
            found.setdefault(why, []).append(_name(row))
    return found


def _rows(rows: tuple[ComparedRow, ...]) -> RenderableType:
    """Units stand with the names, so that the figures fit; a share changes by points, a ratio by percent."""
    shown = table(0)
    shown.add_column("figure", min_width=_LONGEST, overflow="fold")
    for name in ("A", "B", "B is worse by", "limit"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("", no_wrap=True)
    for row in rows:
        style = "bold red" if row.regression else _STYLES[row.word]
        unit = f", {row.unit}" if row.unit in _IN_NAME else ""
        shown.add_row(
            Text(f"{_name(row)}{unit}"),
            Text(_figure(row.a, row.unit)),
            Text(_figure(row.b, row.unit)),
            Text(_change(row)),
            Text(DASH if row.allowed is None else _short(row.allowed, row.change_unit)),
            Text(f"✗ {row.word}" if row.regression else row.word, style=style),
        )
    return shown


def _name(row: ComparedRow) -> str:
    """A slice's share of right answers goes by the slice's name alone."""
    return plain(row.name if row.metric in ("", "right") else f"{row.name} {row.metric}")


def _figure(reading: Reading, unit: str) -> str:
    if isinstance(reading, Measured) and unit == "nats":
        return f"{reading.value:.2g}"
    return short_text(reading, "" if unit in _IN_NAME else unit)


def _change(row: ComparedRow) -> str:
    """The change and the interval that decides, in the unit of what is allowed."""
    if isinstance(row.change, Unmeasured):
        return DASH
    value = _short(row.change.value, row.change_unit)
    if row.bounds is None or row.bounds[0] == row.bounds[1]:
        return value
    low, high = (_short(end, row.change_unit) for end in row.bounds)
    return f"{value} ({low} to {high})"


def _short(value: float, unit: str) -> str:
    """Points, ratios and percent with one digit after the point; anything else with three."""
    if not math.isfinite(value):
        return number(value)
    text = f"{100 * value:.1f}" if unit in ("points", "x") else f"{value:.1f}" if unit == "%" else f"{value:.3f}"
    return text if float(text) else text.lstrip("-")


def _gates(compared: Compared) -> RenderableType:
    lines = table(0)
    lines.add_column("gate", overflow="fold")
    for name in ("limit", "found"):
        lines.add_column(name, justify="right", no_wrap=True)
    lines.add_column("outcome", no_wrap=True)
    for line in compared.gates:
        found = Text(short_text(line.reading, line.unit))
        lines.add_row(Text(line_label(line.name)), limit_text(line), found, outcome_text(line.outcome))
    return lines
