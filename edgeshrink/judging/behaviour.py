"""What a suite found against the gates: one line a gated slice, one of the worst slice, one an exchange rate. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgeshrink.core.behaviour import Behaviour, Confidence, Slice
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.verdict import Outcome, VerdictLine
from edgeshrink.judging.exchange import exchange_lines, exchange_undecided
from edgeshrink.judging.gains import Gains
from edgeshrink.judging.gate_lookup import fits, gates_for, limits_of, named_slices, patterns
from edgeshrink.judging.gate_lookup import judged as judged
from edgeshrink.judging.limits import Figure, between, figure, level, level_text, limit_text, open_because
from edgeshrink.judging.outcomes import overall

CLEAR_OF_CHANCE = 0.1
"""How far above chance a reference must stand that can do a task, as evaluate.slices.figures has it."""
_KINDS = {"max_degradation": "", "percent_max_degradation": ", percent", "threshold": ", own figure"}


def gate_lines(
    floor: QualityFloor, behaviour: Behaviour | Unmeasured, gains: Gains | None = None
) -> tuple[VerdictLine, ...]:
    """All lines: of slices, of the worst one, of exchange rates."""
    return (*slice_lines(floor, behaviour), *exchange_lines(floor, behaviour, gains))


def slice_lines(floor: QualityFloor, behaviour: Behaviour | Unmeasured) -> tuple[VerdictLine, ...]:
    """What more bits per weight can mend: the gated slices, then the worst one.

    A slice that was not measured has a line, UNKNOWN, only where a person's gate names it; reports tell it beside the
    slices. A person's pattern that fits nothing has one, too: a gate with a slip in its name must not pass.
    """
    return tuple(line for line, _ in _lines(floor, behaviour))


def undecided(floor: QualityFloor, behaviour: Behaviour, gains: Gains | None = None) -> frozenset[str]:
    """Slices of which more items could decide a line that noise keeps open, or show that the reference can do them."""
    found = {name for line, names in _lines(floor, behaviour) if line.outcome == "UNKNOWN" for name in names}
    found |= {one.name for one in behaviour.slices if _may_be_able(floor, one)}
    return frozenset(found | exchange_undecided(floor, behaviour, gains))


def _may_be_able(floor: QualityFloor, one: Slice) -> bool:
    """Whether a gated slice is unmeasured only because too few items told the reference from one that guesses."""
    metric = one.metric()
    if metric is None or one.chance is None or not gates_for(floor, one.name, metric.name):
        return False
    reference = metric.reference
    able = isinstance(reference, Measured) and reference.value > one.chance + CLEAR_OF_CHANCE
    return able and isinstance(metric.loss, Unmeasured)


def _lines(floor: QualityFloor, behaviour: Behaviour | Unmeasured) -> Iterator[tuple[VerdictLine, tuple[str, ...]]]:
    """Each line, and the slices of which more items would narrow it."""
    slices = () if isinstance(behaviour, Unmeasured) else behaviour.slices
    for one in slices:
        assert not isinstance(behaviour, Unmeasured)
        yield from _of_slice(floor, one, behaviour.confidence)
    for name in named_slices(floor):
        if not any(one.name == name for one in slices):
            for line in _absent(floor, name, behaviour):
                yield line, ()
    if isinstance(behaviour, Behaviour):
        for line in _fitting_nothing(floor, behaviour):
            yield line, ()
    if floor.worst_slice is not None:
        yield from _worst(floor, behaviour)


def _fitting_nothing(floor: QualityFloor, behaviour: Behaviour) -> Iterator[VerdictLine]:
    """Of each pattern that no slice fits, or none that has its metric."""
    for pattern, gate in patterns(floor):
        fitting = [one for one in behaviour.slices if fits(one.name, pattern)]
        if not any(one.metric(gate.metric) for one in fitting):
            what = f"has the metric {gate.metric!r}" if fitting else "is called so"
            why = Unmeasured(f"no slice of suite {behaviour.suite} {what}")
            for field, limit in limits_of(gate).items():
                unit = "%" if field == "percent_max_degradation" else "share"
                nothing = Figure(why, None, unit, ">=" if field == "threshold" else "<=", limit, "")
                yield line_of(_label(pattern, gate.metric or "", field), nothing, None)


def _of_slice(floor: QualityFloor, one: Slice, confidence: Confidence) -> Iterator[tuple[VerdictLine, tuple[str, ...]]]:
    if not one.metrics:
        return
    for held in gates_for(floor, one.name, one.metrics[0].name):
        metric = one.metric(held.metric)
        names = ", ".join(known.name for known in one.metrics)
        nothing = Unmeasured(f"it has no metric {held.metric!r}, only {names}")
        for field, limit in limits_of(held.gate).items():
            judged = Figure(nothing, None, "", "<=", limit, "")
            if metric is not None:
                judged = figure(metric, field, limit, confidence.each)
            if not held.named and (metric is None or isinstance(metric.loss, Unmeasured)):
                continue  # a loss that was measured always has its line, if only to say that the limit does not suit it
            label = _label(one.name, held.metric if held.metric != one.metrics[0].name else "", field)
            line = line_of(label, judged, confidence, context=_context(one, held.metric))
            narrows = isinstance(judged.reading, Measured) and judged.bounds is not None
            yield replace(line, slice=one.name, metric=held.metric), (one.name,) if narrows else ()


def _label(name: str, metric: str, field: str) -> str:
    """`slice tools/decision`, `slice text/de p99 KL, percent`."""
    return f"slice {name}{f' {metric}' if metric else ''}{_KINDS[field]}"


def _context(one: Slice, name: str) -> str:
    """`right 86.8 % against 91.0 % of the reference; `; nothing of a figure that is its own loss."""
    metric = one.metric(name)
    if metric is None or isinstance(metric.candidate, Unmeasured) or metric.candidate == metric.loss:
        return ""
    mine = f"{metric.name} {level(metric.candidate.value, metric.unit)}"
    if isinstance(metric.reference, Unmeasured):
        return f"{mine}; "
    return f"{mine} against {level(metric.reference.value, metric.unit)} of the reference; "


def _absent(floor: QualityFloor, name: str, behaviour: Behaviour | Unmeasured) -> Iterator[VerdictLine]:
    """A slice that a gate names and no family filled. Its unit is taken for a share's, as most slices' is."""
    reason = behaviour if isinstance(behaviour, Unmeasured) else Unmeasured(f"suite {behaviour.suite} does not ask it")
    for held in gates_for(floor, name, ""):
        for field, limit in limits_of(held.gate).items():
            if held.named:
                unit = "%" if field == "percent_max_degradation" else "share"
                nothing = Figure(reason, None, unit, ">=" if field == "threshold" else "<=", limit, "")
                line = line_of(_label(name, held.metric, field), nothing, None)
                yield replace(line, slice=name, metric=held.metric)


def _worst(floor: QualityFloor, behaviour: Behaviour | Unmeasured) -> Iterator[tuple[VerdictLine, tuple[str, ...]]]:
    """The worst of all shares. All intervals hold together (see Confidence): it passes where each one of them does, and
    fails where one of them does."""
    gate = floor.worst_slice
    assert gate is not None
    for field, limit in limits_of(gate).items():
        label = f"worst slice{_KINDS[field]}"
        found: dict[str, Figure] = {}
        for one in () if isinstance(behaviour, Unmeasured) else behaviour.slices:
            assert not isinstance(behaviour, Unmeasured)
            metric = one.metric(gate.metric)
            if metric is not None and metric.unit == "share":
                judged = figure(metric, field, limit, behaviour.confidence.each)
                if isinstance(judged.reading, Measured):
                    found[one.name] = judged
        if isinstance(behaviour, Unmeasured) or not found:
            reason = behaviour if isinstance(behaviour, Unmeasured) else Unmeasured("no slice of shares was measured")
            yield line_of(label, Figure(reason, None, "share", "<=", limit, ""), None), ()
            continue
        name, worst = max(found.items(), key=lambda pair: pair[1].badness)
        outcome = overall(tuple(judged.outcome for judged in found.values()))
        line = line_of(label, worst, behaviour.confidence, outcome=outcome, context=f"{name}, of {len(found)} slices: ")
        others = [other for other, judged in found.items() if judged.outcome == outcome and other != name]
        if others and outcome != "PASS":
            word = "failed, too" if outcome == "FAIL" else "open, too"
            line = replace(line, why=f"{line.why}; {word}: {', '.join(others)}")
        open_ = (other for other, judged in found.items() if judged.outcome == "UNKNOWN" and judged.bounds is not None)
        yield line, tuple(open_)


def line_of(
    name: str, judged: Figure, confidence: Confidence | None, *, outcome: Outcome | None = None, context: str = ""
) -> VerdictLine:
    """The figure as a line of the verdict, with why it came out so."""
    outcome = outcome or judged.outcome
    if isinstance(judged.reading, Unmeasured):
        why = judged.reading.reason
    else:
        at_most = judged.comparison == "<="
        limit = level_text(judged.limit, judged.unit) if judged.own else limit_text(judged.limit, judged.unit)
        need = f"at most {limit} allowed" if at_most else f"at least {limit} wanted"
        if judged.bounds is None or confidence is None:
            why = f"{context}{judged.said}, {need}: it has no interval, so noise cannot be ruled out"
        else:
            gained = "a loss of " if not judged.own and judged.reading.value < 0 else ""
            sure = f"{gained}{between(judged.bounds, judged.unit)} at {100 * confidence.each:.4g} %"
            open_ = open_because(judged) if judged.outcome == outcome == "UNKNOWN" else ""
            why = f"{context}{judged.said} ({sure}), {need}{open_}"
    return VerdictLine(name, judged.unit, judged.comparison, judged.limit, judged.reading, None, outcome, why)
