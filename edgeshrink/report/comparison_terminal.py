"""`build --format all` on the terminal: one row a format, which is best and why, what speaks against the others."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from edgeshrink.core.report import Comparison, FormatOutcome
from edgeshrink.report.comparison import Shown, against, missing, names, notes, shown_figures, why_text
from edgeshrink.report.format import DASH, plain, short_text
from edgeshrink.report.pieces import facts_grid, item, outcome_text, table

# Heads that fit 80 columns, by the figure's id; the unit stands in the cell or in the head, not in both.
_HEADS = {
    "size": "size",
    "quality": "quality",
    "same-top": "same\ntop",
    "speed": "speed",
    "first-token": "TTFT\nms",
    "memory": "peak\nRSS",
}


def render_comparison(comparison: Comparison) -> RenderableType:
    """The formats side by side, whole at 80 columns."""
    shown, formats = shown_figures(comparison), names(comparison)
    grid = facts_grid()
    grid.add_row("target", Text(plain(comparison.target)))
    grid.add_row("device", Text(plain(f"{comparison.profile_name} ({comparison.profile})")))
    parts: list[RenderableType] = [Text(plain(comparison.model), style="bold", overflow="fold"), grid, Text()]
    parts += [_table(comparison, shown), Text(), _best(comparison)]
    parts += [Text(plain(f"{note}."), style="dim", overflow="fold") for note in notes(comparison)]
    for outcome in comparison.outcomes:
        style = "yellow" if outcome.report is not None else "red"
        parts += [item("✗", f"{outcome.format}: {text}", style) for text in against(outcome)]
    parts += [item(DASH, f"{', '.join(of)}: {reason}", "dim") for reason, of in missing(shown, formats).items()]
    if comparison.folder is not None:
        parts += [Text(), Text.assemble(("Files  ", "dim"), plain(str(comparison.folder)), overflow="fold")]
    return Group(*parts)


def _table(comparison: Comparison, shown: tuple[Shown, ...]) -> RenderableType:
    rows = table(0)
    rows.add_column("  format", no_wrap=True)
    rows.add_column("scheme", no_wrap=True)
    for figure in shown:
        rows.add_column(_head(figure), justify="right", no_wrap=True)
    rows.add_column("verdict", no_wrap=True)
    for index, outcome in enumerate(comparison.outcomes):
        best = outcome.format == comparison.best
        scheme = outcome.report.artifact.scheme if outcome.report else DASH
        rows.add_row(
            Text.assemble(("★ " if best else "  ", "bold green"), (plain(outcome.format), "bold" if best else "")),
            Text(plain(scheme)),
            *(_cell(figure, index) for figure in shown),
            _verdict(outcome),
        )
    return rows


def _head(figure: Shown) -> str:
    if figure.id == "quality":
        return "mean\nKL" if figure.unit == "nats" else "output\ncosine"
    if figure.id == "speed":
        return "decode\ntok/s" if figure.unit == "tok/s" else "one run\np95, ms"
    return _HEADS[figure.id]


def _cell(figure: Shown, index: int) -> Text:
    unit = "" if figure.unit in ("nats", "tok/s", "ms") else figure.unit
    return Text(short_text(figure.readings[index], unit))


def _verdict(outcome: FormatOutcome) -> Text:
    return Text("✗ error", style="bold red") if outcome.report is None else outcome_text(outcome.report.verdict.outcome)


def _best(comparison: Comparison) -> RenderableType:
    why = plain(why_text(comparison))
    if comparison.best is None:
        return Text.assemble(("No best format. ", "bold yellow"), why, overflow="fold")
    return Text.assemble(("★ Best: ", "bold green"), (plain(comparison.best), "bold"), f". {why}", overflow="fold")
