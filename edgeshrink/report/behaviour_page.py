"""What a page says of a behaviour: what broke, every slice with its gate, charts, the worst items side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgeshrink.core.behaviour import Behaviour, Metric, Slice
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.verdict import Outcome, Verdict
from edgeshrink.report import charts
from edgeshrink.report.behaviour_rows import SliceRow, slice_rows, worst_first
from edgeshrink.report.behaviour_told import (
    allowed_text,
    asked_text,
    attribution_texts,
    confidence_text,
    fallback_text,
    headline,
    loss_text,
    storage_text,
    tally_text,
    together_texts,
)
from edgeshrink.report.format import DASH, plain, short_text
from edgeshrink.report.specimens import WorstItems, worst_items


@dataclass(frozen=True, slots=True)
class Told:
    """One metric, spelled."""

    name: str
    reference: str
    candidate: str
    lost: str
    samples: str


@dataclass(frozen=True, slots=True)
class SliceLine:
    """One row of the table. `whys`: of the gates that it does not hold."""

    name: str
    title: str
    metric: str
    items: int
    told: Told
    allowed: tuple[str, ...]
    outcome: Outcome | None
    moved: bool
    unmeasured: str
    whys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SliceDetails:
    """All of one slice. `whys`: of all its gates."""

    name: str
    title: str
    items: int
    chance: str
    metrics: tuple[Told, ...]
    parts: tuple[Told, ...]
    whys: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BehaviourPage:
    """Texts and figures of the behaviour's sections."""

    asked: str
    tally: str
    headline: str
    broken: bool
    reference: str
    confidence: str
    storage: str
    figures: tuple[charts.Figure, ...]
    lines: tuple[SliceLine, ...]
    details: tuple[SliceDetails, ...]
    worst: tuple[WorstItems, ...]
    together: tuple[str, ...]
    sources: tuple[str, ...]
    fallback: str
    notes: tuple[str, ...]


def behaviour_page(behaviour: Behaviour, verdict: Verdict | None) -> BehaviourPage:
    rows = slice_rows(behaviour, verdict)
    moved = worst_first(rows)
    fit = behaviour.fallback
    return BehaviourPage(
        asked=asked_text(behaviour),
        tally=tally_text(rows),
        headline=headline(rows),
        broken=any(row.outcome == "FAIL" for row in rows),
        reference=behaviour.reference,
        confidence=confidence_text(behaviour),
        storage="" if isinstance(behaviour.reference_bytes_per_token, Unmeasured) else storage_text(behaviour),
        figures=tuple(_figures(behaviour, rows, moved)),
        lines=tuple(_line(row) for row in rows),
        details=tuple(_details(one, rows) for one in behaviour.slices),
        worst=worst_items((*moved, *rows), {one.name: _lost(one) for one in behaviour.slices}),
        together=together_texts(behaviour),
        sources=tuple(attribution_texts(behaviour)),
        fallback=f"No threshold was fitted: {fit.reason}." if isinstance(fit, Unmeasured) else f"{fallback_text(fit)}.",
        notes=behaviour.notes,
    )


def _figures(behaviour: Behaviour, rows: tuple[SliceRow, ...], moved: tuple[SliceRow, ...]) -> Iterator[charts.Figure]:
    """Those that say something: a chart that was not drawn is told in words elsewhere."""
    yield from charts.loss_charts(rows)
    along = (charts.along_chart(one) for one in behaviour.slices if _by_position(one))
    yield from (figure for figure in along if figure is not None)
    names = dict.fromkeys(row.slice.name for row in moved)
    parted = (one for one in behaviour.slices if one.name in names and not _by_position(one))
    yield from (figure for figure in map(charts.parts_chart, parted) if figure is not None)
    for figure in (charts.sources_chart(behaviour), charts.risk_chart(behaviour.fallback)):
        if figure.svg is not None:
            yield figure


def _lost(one: Slice) -> str:
    """By its first metric; "" of what did not get worse."""
    metric = one.metrics[0]
    worse = isinstance(metric.loss, Measured) and metric.loss.value > 0
    return loss_text(metric.loss, metric.unit) if worse else ""


def _by_position(one: Slice) -> bool:
    """Whether its parts are stretches of the context, in nats: the drift of a distance."""
    return bool(one.parts) and all(isinstance(part.metric.reference, Unmeasured) for part in one.parts)


def _line(row: SliceRow) -> SliceLine:
    first = row.metric is row.slice.metrics[0]
    return SliceLine(
        name=plain(row.slice.name),
        title=plain(row.slice.title) if first else "",
        metric=plain(row.metric.name),
        items=row.slice.items,
        told=_told(row.metric, spread=False),
        allowed=tuple(dict.fromkeys(allowed_text(gate, row.metric) for gate in row.gates)),
        outcome=row.outcome,
        moved=row.moved,
        unmeasured=plain(row.unmeasured),
        whys=tuple(plain(gate.why) for gate in row.gates if gate.outcome != "PASS"),
    )


def _details(one: Slice, rows: tuple[SliceRow, ...]) -> SliceDetails:
    return SliceDetails(
        name=plain(one.name),
        title=plain(one.title),
        items=one.items,
        chance="" if not one.chance else f"guessing scores {short_text(Measured(one.chance), 'share')}",
        metrics=tuple(_told(metric) for metric in one.metrics),
        parts=tuple(_told(part.metric, f"{part.name} ({part.items:,})") for part in one.parts),
        whys=tuple(plain(gate.why) for row in rows if row.slice is one for gate in row.gates),
        notes=tuple(plain(note) for note in one.notes),
    )


def _told(metric: Metric, name: str = "", *, spread: bool = True) -> Told:
    """`spread` False leaves out the intervals of both models' own figures."""
    loss, distance = metric.loss, isinstance(metric.reference, Unmeasured)
    return Told(
        name=plain(name or metric.name),
        reference=short_text(metric.reference, metric.unit, spread=spread),
        candidate=DASH if not spread and distance else short_text(metric.candidate, metric.unit, spread=spread),
        lost=loss_text(loss, metric.unit),
        samples=f"{loss.n:,}" if isinstance(loss, Measured) else DASH,
    )
