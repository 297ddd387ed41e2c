"""A behaviour in words that the terminal, the page and the card share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from edgeshrink.core.attribution import Attribution, Source
from edgeshrink.core.behaviour import Behaviour, Metric
from edgeshrink.core.fallback import FallbackFit
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.verdict import Outcome, VerdictLine
from edgeshrink.report.behaviour_rows import SliceRow, gated_loss, percent_gate, worst_first
from edgeshrink.report.format import DASH, human, human_bytes, plain, reading_text, short_text

_TOLD = 3
_SAID: dict[Outcome, str] = {"FAIL": "fail their gate", "UNKNOWN": "could be noise", "PASS": "hold it"}
_SAID_OF_ONE: dict[Outcome, str] = {"FAIL": "fails its gate", "UNKNOWN": "could be noise", "PASS": "holds it"}


def loss_text(reading: Reading, unit: str, *, spread: bool = True, named: bool = True) -> str:
    """`42.5 ± 6.8 points` of a share, below 0 where it got better; `0.0310 ± 0.0019 nats` of a distance.

    Without `named`, points are not spelled: the column's head does that.
    """
    if isinstance(reading, Unmeasured):
        return DASH
    if unit != "share":
        return reading_text(reading, unit, spread=spread)
    value, name = _points(reading.value), " points" if named else ""
    if not spread or reading.low is None or reading.high is None:
        return f"{value}{name}"
    below, above = reading.value - reading.low, reading.high - reading.value
    if min(below, above) >= 0.8 * max(below, above):
        return f"{value} ± {_points(max(below, above))}{name}"
    return f"{value} ({_points(reading.low)} to {_points(reading.high)}){name}"


def amount(value: float, unit: str) -> str:
    """A loss without its interval: `5 points`, `0.1 nats`. Digits that nobody wrote are left out."""
    if unit == "share":
        return f"{100 * value:.4f}".rstrip("0").rstrip(".") + " points"
    figure = f"{value:.6f}".rstrip("0").rstrip(".") if 1e-6 <= abs(value) < 1e6 else f"{value:g}"
    return f"{figure}×" if unit == "x" else f"{figure} {unit}".rstrip()


def figure_text(reading: Reading, unit: str, *, spread: bool = False) -> str:
    """A model's own figure, `—` where it has none."""
    return short_text(reading, unit, spread=spread)


def allowed_text(gate: VerdictLine, metric: Metric) -> str:
    """What a gate allows: `≤ 5 points` lost, `≤ 2 % of its own`, `≥ 90 %` of the file itself."""
    if percent_gate(gate, metric):
        return f"≤ {amount(gate.limit, '%')} of its own"
    if gated_loss(gate, metric) or isinstance(metric.reference, Unmeasured):
        return f"≤ {amount(gate.limit, metric.unit)}"
    sign = "≥" if gate.comparison == ">=" else "≤"
    figure = amount(gate.limit, metric.unit)
    return f"{sign} {figure.replace(' points', ' %') if metric.unit == 'share' else figure}"


def lost_text(row: SliceRow) -> str:
    """`arithmetic lost 42.5 ± 6.8 points`; of a distance `text/it is 0.118 ± 0.007 nats away`."""
    name = row.slice.name if row.metric is row.slice.metrics[0] else f"{row.slice.name} ({row.metric.name})"
    if row.loss is None:
        return f"{name}: {row.unmeasured}"
    text = loss_text(row.loss, row.metric.unit)
    if row.distance:
        return f"{name}: {row.metric.name} {text}"
    if row.metric.better == "lower":
        return f"{name}: {row.metric.name} rose by {text}"
    return f"{name} lost {text}"


def headline(rows: Sequence[SliceRow]) -> str:
    """What broke, the worst first; that nothing did, where nothing did."""
    moved = worst_first(rows)
    if not moved and all(row.unmeasured for row in rows):
        return "Nothing could be measured, so nothing is known of what was lost."
    if not moved:
        return "No slice lost more than noise explains."
    named = "; ".join(lost_text(row) for row in moved[:_TOLD])
    rest = len(moved) - _TOLD
    more = f"; {rest} more {'slice' if rest == 1 else 'slices'} lost beyond noise" if rest > 0 else ""
    return f"{named}{more}."


def tally_text(rows: Sequence[SliceRow]) -> str:
    """`3 slices fail their gate, 2 could be noise, 22 hold it, 1 was not measured`."""
    firsts = [row for row in rows if row.metric is row.slice.metrics[0]]
    outcomes = [_of_slice(rows, row.slice.name) for row in firsts]
    words: list[str] = []
    for word in ("FAIL", "UNKNOWN", "PASS"):
        count = outcomes.count(word)
        if count:
            noun = "" if words else ("slice " if count == 1 else "slices ")
            words.append(f"{count} {noun}{_SAID_OF_ONE[word] if count == 1 else _SAID[word]}")
    free = sum(1 for row, outcome in zip(firsts, outcomes, strict=True) if outcome is None and not row.unmeasured)
    silent = sum(1 for row, outcome in zip(firsts, outcomes, strict=True) if outcome is None and row.unmeasured)
    if free:
        words.append(f"{free} {'has' if free == 1 else 'have'} no gate")
    if silent:
        words.append(f"{silent} {'was' if silent == 1 else 'were'} not measured")
    return ", ".join(words)


def asked_text(behaviour: Behaviour) -> str:
    """`suite standard: 29 slices, 3,270 items, 32,768 tokens of text, seed 7, in 2 rounds`."""
    count = len(behaviour.slices)
    parts = [f"{count} {'slice' if count == 1 else 'slices'}"]
    if behaviour.items:
        parts.append(f"{behaviour.items:,} items")
    if behaviour.tokens:
        parts.append(f"{behaviour.tokens:,} tokens of text")
    rounds = f" in {behaviour.looks} rounds" if behaviour.looks > 1 else ""
    return f"suite {plain(behaviour.suite)}: {', '.join(parts)}, seed {behaviour.seed}{rounds}"


def confidence_text(behaviour: Behaviour) -> str:
    """How sure all gates together are."""
    sure = behaviour.confidence
    gates = f"{sure.slices} {'gate' if sure.slices == 1 else 'gates'}"
    looks = "one look" if sure.looks == 1 else f"up to {sure.looks} looks"
    return (
        f"Each gate is judged by an interval of {100 * sure.each:.4g} %, so that noise decides any of {gates} wrongly, "
        f"in {looks}, with a probability of at most {human(sure.familywise, 'share')}. Intervals shown beside figures "
        f"are of 95 %."
    )


def attribution_texts(behaviour: Behaviour) -> Iterator[str]:
    """One line a slice: `arithmetic: 71.0 % (55.0 to 86.0) of the loss comes from blk.3.ffn_down; ...`."""
    found = behaviour.attributions
    if isinstance(found, Unmeasured):
        yield f"Not known where losses come from: {plain(found.reason)}"
        return
    for one in found:
        yield attribution_text(one)


def attribution_text(one: Attribution) -> str:
    """By the group that gives most back; a smaller group inside it that gives nearly as much is told instead."""
    told = [source for source in one.sources if isinstance(source.returned, Measured)]
    if not told:
        return f"{plain(one.slice)}: no group of tensors was put back"
    first = _narrowest(told)
    assert isinstance(first.returned, Measured)
    low, high = first.returned.low, first.returned.high
    sure = "" if low is None or high is None else f" ({100 * low:.0f} to {100 * high:.0f} %)"
    text = f"{100 * first.returned.value:.0f} %{sure} of the loss comes back with {plain(first.group)}"
    if low is not None and low <= 0:
        text += ", which noise could explain"
    return f"{plain(one.slice)}: {text} at {plain(first.type)}, {extra_text(first)}"


def extra_text(source: Source) -> str:
    """`+512 KiB`: what keeping it would cost."""
    return f"{'+' if source.extra_bytes >= 0 else '-'}{human_bytes(abs(source.extra_bytes))}"


def fallback_text(fit: FallbackFit) -> str:
    """When to hand over, what that was found to be worth, and whether the check agrees."""
    rule = fit.fallback
    checked = (
        f"on {fit.checked_on:,} other items {reading_text(fit.checked_risk, 'share')} of what was kept was wrong, "
        f"{reading_text(fit.checked_coverage, 'share')} was kept"
    )
    kept = "which the stated risk allows" if fit.kept else "which is MORE than the stated risk: do not rely on it"
    return (
        f"Hand over below a confidence of {rule.threshold:.3g} (at temperature {rule.temperature:.3g}): "
        f"{human(rule.coverage, 'share')} of answers are kept, and at most {human(fit.stated_risk, 'share')} of those "
        f"are wrong, at {human(fit.guarantee, 'share')} confidence, fitted on {fit.fitted_on:,} items; {checked}, "
        f"{kept}"
    )


def together_texts(behaviour: Behaviour) -> tuple[str, ...]:
    """`arithmetic, text/digits`: slices that moved together."""
    return tuple(", ".join(plain(name) for name in names) for names in behaviour.together if len(names) > 1)


def unmeasured_texts(rows: Sequence[SliceRow]) -> tuple[str, ...]:
    """By reason, as one reason often holds for several slices."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.unmeasured:
            reasons.setdefault(row.unmeasured, []).append(row.slice.name)
    return tuple(f"{', '.join(map(plain, names))}: {plain(reason)}" for reason, names in reasons.items())


def storage_text(behaviour: Behaviour) -> str:
    """What the reference's stored logits take."""
    return f"{reading_text(behaviour.reference_bytes_per_token, 'bytes')} for each token that is scored"


def _narrowest(sources: Sequence[Source]) -> Source:
    """The fewest tensors among those that give back nearly as much as the best one."""
    best = max(_returned(source) for source in sources)
    near = [source for source in sources if _returned(source) >= 0.75 * best] if best > 0 else list(sources[:1])
    return min(near, key=lambda source: (len(source.tensors), -_returned(source)))


def _returned(source: Source) -> float:
    return source.returned.value if isinstance(source.returned, Measured) else -math.inf


def _of_slice(rows: Sequence[SliceRow], name: str) -> Outcome | None:
    outcomes = [row.outcome for row in rows if row.slice.name == name and not row.unmeasured]
    return next((word for word in _SAID if word in outcomes), None)


def _points(share: float) -> str:
    text = f"{100 * share:.1f}"
    return "0.0" if text == "-0.0" else text
