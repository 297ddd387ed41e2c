"""Two artifacts on one device in turn, as a table that is whole at 80 columns."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.report import Interleaved
from edgeshrink.report.format import DASH, line_label, plain, reading_text, short_text
from edgeshrink.report.pieces import facts_grid, item, table

_UNITS = ("tok/s", "ms", "bytes", "mJ", "W", "°C", "share", "s")


def render_interleaved(interleaved: Interleaved) -> RenderableType:
    """One row a figure: A, B, and A / B with its interval; whether the interval leaves room for no difference."""
    facts = facts_grid()
    facts.add_row("device", Text(plain(interleaved.device)))
    facts.add_row("A", Text(plain(interleaved.a)))
    facts.add_row("B", Text(plain(interleaved.b)))
    facts.add_row("rounds", Text(f"{interleaved.rounds:,}"))
    rows = table(0)
    rows.add_column("figure", overflow="fold")
    for name in ("A", "B"):
        rows.add_column(name, justify="right", no_wrap=True)
    rows.add_column("A / B", justify="right", no_wrap=True)
    rows.add_column("", no_wrap=True)
    missing: dict[str, list[str]] = {}
    for name, a, b, ratio in interleaved.rows:
        label, unit = _split(name)
        rows.add_row(
            Text(plain(line_label(label))), short_text(a, unit), short_text(b, unit), _ratio(ratio), _told(ratio)
        )
        for reading in (a, b, ratio):
            if isinstance(reading, Unmeasured):
                missing.setdefault(reading.reason, [])
                if label not in missing[reading.reason]:
                    missing[reading.reason].append(label)
    parts: list[RenderableType] = [facts, Text(), rows]
    if text := interleaved.partial.rstrip("."):
        whole = f"{interleaved.rounds:,} whole rounds stand" if interleaved.rounds > 1 else "one whole round stands"
        parts.insert(0, item("!", f"partial, it ended early: {text}; {whole}", "bold yellow"))
    parts += [item(DASH, f"{', '.join(labels)}: {reason}", "dim") for reason, labels in missing.items()]
    how = dict.fromkeys(ratio.how for _, _, _, ratio in interleaved.rows if isinstance(ratio, Measured) and ratio.how)
    parts += [item("-", note, "dim") for note in (*how, *interleaved.notes)]
    return Group(*parts)


def _split(name: str) -> tuple[str, str]:
    """`decode, tok/s` is the figure decode in tok/s; a name without a unit that is known is left as it is."""
    label, comma, unit = name.rpartition(", ")
    return (label, unit) if comma and unit in _UNITS else (name, "")


def _ratio(ratio: Reading) -> str:
    return DASH if isinstance(ratio, Unmeasured) else reading_text(ratio, "x")


def _told(ratio: Reading) -> Text:
    """`A more`, `B more`, `alike`: an interval that holds 1 shows no difference; without one nothing is told."""
    if not isinstance(ratio, Measured) or ratio.low is None or ratio.high is None:
        return Text("")
    if ratio.low > 1:
        return Text("A more")
    return Text("B more") if ratio.high < 1 else Text("alike", style="dim")
