"""The behaviour's section of `MODEL_CARD.md`: what broke, every slice with its gate, and when to hand over."""

from __future__ import annotations

from collections.abc import Iterator

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.verdict import Verdict
from edgeshrink.report.behaviour_rows import SliceRow, slice_rows
from edgeshrink.report.behaviour_told import (
    allowed_text,
    asked_text,
    attribution_texts,
    confidence_text,
    fallback_text,
    figure_text,
    headline,
    loss_text,
    tally_text,
    together_texts,
    unmeasured_texts,
)
from edgeshrink.report.format import DASH
from edgeshrink.report.markdown import table, words


def behaviour_section(behaviour: Behaviour, verdict: Verdict) -> Iterator[str]:
    """Lines of Markdown; everything from outside is escaped."""
    rows = slice_rows(behaviour, verdict)
    yield "## Behaviour"
    yield ""
    yield f"**{words(headline(rows))}**"
    yield ""
    asked = asked_text(behaviour)
    tally = tally_text(rows)
    yield (
        f"{words(asked[:1].upper() + asked[1:])}, on the finished file in its own runtime, against "
        f"{words(behaviour.reference)} on the same items.{f' {words(tally)}.' if tally else ''}"
    )
    yield ""
    measured = [_cells(row) for row in rows if not row.unmeasured]
    if measured:
        yield from table(("Slice", "Items", "Reference", "This file", "Lost", "May lose", "Gate"), measured)
        yield ""
    yield words(confidence_text(behaviour))
    yield ""
    yield from (f"- Not measured, {words(text)}" for text in unmeasured_texts(rows))
    yield from (f"- {words(note)}" for note in behaviour.notes)
    yield from (f"- Moved together: {words(text)}" for text in together_texts(behaviour))
    if not isinstance(behaviour.attributions, Unmeasured):
        yield from (f"- Cause: {words(text)}" for text in attribution_texts(behaviour))
    fit = behaviour.fallback
    if isinstance(fit, Unmeasured):
        yield f"- No threshold at which to hand over: {words(fit.reason)}"
    else:
        yield f"- {words(fallback_text(fit))}"


def _cells(row: SliceRow) -> tuple[str, ...]:
    first = row.metric is row.slice.metrics[0] and row.metric.name == "right"
    metric = row.metric
    return (
        words(row.slice.name if first else f"{row.slice.name}, {metric.name}"),
        f"{row.slice.items:,}",
        words(figure_text(metric.reference, metric.unit)),
        DASH if row.distance else words(figure_text(metric.candidate, metric.unit)),
        words(loss_text(metric.loss, metric.unit)),
        words(", ".join(allowed_text(gate, metric) for gate in row.gates) or DASH),
        row.outcome or DASH,
    )
