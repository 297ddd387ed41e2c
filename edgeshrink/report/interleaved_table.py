"""Two artifacts on one device in turn, as a table that is whole at 80 columns."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.report import Interleaved
from edgeshrink.report.format import DASH, line_label, plain, reading_text, short_text
from edgeshrink.report.pieces import facts_grid, item, table

_UNITS = ("tok/s", "ms", "bytes", "mJ", "W", "°C", "share", "s")
_LESS_IS_BETTER = {"ms": "faster", "s": "faster", "bytes": "less", "mJ": "less", "W": "less", "°C": "cooler"}
_ALIKE = 0.05
"""Two figures are alike where the whole interval of their ratio lies so near to 1."""
_RATIO_NOTE = "A / B is the median of the ratios within rounds: it need not be the ratio of the two medians"


def render_interleaved(interleaved: Interleaved) -> RenderableType:
    """One row a figure: A, B, and A / B with its interval; which one is better, if the interval says so."""
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
            Text(plain(line_label(label))), short_text(a, unit), short_text(b, unit), _ratio(ratio), _told(ratio, unit)
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
    told = (_RATIO_NOTE,) if any(isinstance(ratio, Measured) for _, _, _, ratio in interleaved.rows) else ()
    parts += [item("-", note, "dim") for note in (*how, *told, *interleaved.notes)]
    return Group(*parts)


def _split(name: str) -> tuple[str, str]:
    """`decode, tok/s` is the figure decode in tok/s; a name without a unit that is known is left as it is."""
    label, comma, unit = name.rpartition(", ")
    return (label, unit) if comma and unit in _UNITS else (name, "")


def _ratio(ratio: Reading) -> str:
    return DASH if isinstance(ratio, Unmeasured) else reading_text(ratio, "x")


def _told(ratio: Reading, unit: str) -> Text:
    """`A faster`, `B less`: which is better. An interval that holds 1 shows no difference, and a wide one cannot tell;
    without an interval nothing is told, and of a unit that is not known only which has more."""
    if not isinstance(ratio, Measured) or ratio.low is None or ratio.high is None:
        return Text("")
    if ratio.low <= 1 <= ratio.high:
        alike = ratio.low >= 1 - _ALIKE and ratio.high <= 1 + _ALIKE
        return Text("alike" if alike else "cannot tell", style="dim")
    more, less = ("A", "B") if ratio.low > 1 else ("B", "A")
    if word := _LESS_IS_BETTER.get(unit):
        return Text(f"{less} {word}")
    return Text(f"{more} {'faster' if unit == 'tok/s' else 'more'}")
