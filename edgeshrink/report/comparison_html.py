"""`comparison.html`: the formats of one build on one page, each with a link to its own report."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from edgeshrink.core.measurement import HostFacts
from edgeshrink.core.report import Comparison, FormatOutcome
from edgeshrink.report import charts
from edgeshrink.report.comparison import against, missing, names, notes, shown_figures, why_text
from edgeshrink.report.figures import compared_on
from edgeshrink.report.format import DASH, short_text
from edgeshrink.report.page import page
from edgeshrink.report.told import delegated_text, size_text


@dataclass(frozen=True, slots=True)
class _Format:
    """One format's row. `link`: its own report, relative to this page; "" where there is none."""

    name: str
    scheme: str
    best: bool
    outcome: str
    mark: str
    link: str
    cells: tuple[str, ...]
    what: str
    against: tuple[str, ...]


def comparison_to_html(comparison: Comparison) -> str:
    """The page. Names and texts from outside are escaped; equal comparisons give equal text."""
    shown = shown_figures(comparison)
    formats = [
        _format(comparison, outcome, tuple(short_text(figure.readings[index], figure.unit) for figure in shown))
        for index, outcome in enumerate(comparison.outcomes)
    ]
    return page(
        "comparison.html.j2",
        version=comparison.version,
        comparison=comparison,
        shown=shown,
        formats=formats,
        chart=charts.formats_chart(comparison),
        why=why_text(comparison),
        notes=notes(comparison),
        reasons=missing(shown, names(comparison)),
        compared=_compared(comparison),
        hosts=_hosts(comparison),
    )


def _format(comparison: Comparison, outcome: FormatOutcome, cells: tuple[str, ...]) -> _Format:
    report = outcome.report
    parts = []
    if report is not None:
        parts.append(f"{report.artifact.file}: {size_text(report.artifact)}")
        if report.artifact.delegation is not None:
            parts.append(delegated_text(report.artifact.delegation))
        if report.measurements is not None:
            runtime = report.measurements.runtime
            parts.append(f"{runtime.name} {runtime.version} on {runtime.backend}, {runtime.threads} threads")
    return _Format(
        name=outcome.format,
        scheme=DASH if report is None else report.artifact.scheme,
        best=outcome.format == comparison.best,
        outcome="FAIL" if report is None else report.verdict.outcome,
        mark="error" if report is None else report.verdict.outcome,
        link="" if report is None else f"{quote(outcome.format, safe='')}/report.html",
        cells=cells,
        what="; ".join(parts),
        against=against(outcome),
    )


def _compared(comparison: Comparison) -> tuple[str, ...]:
    """What the quality figures were taken against, once where it is the same for all."""
    found: dict[str, list[str]] = {}
    for outcome in comparison.outcomes:
        if outcome.report is not None and outcome.report.quality is not None:
            quality = outcome.report.quality
            text = f"Distances to {quality.reference}, on {compared_on(quality).text}."
            found.setdefault(text, []).append(outcome.format)
    if len(found) == 1:
        return tuple(found)
    return tuple(f"{', '.join(formats)}: {text}" for text, formats in found.items())


def _hosts(comparison: Comparison) -> tuple[HostFacts, ...]:
    reports = (outcome.report for outcome in comparison.outcomes)
    return tuple(dict.fromkeys(report.measurements.host for report in reports if report and report.measurements))
