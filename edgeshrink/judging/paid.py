"""Whether a smaller model paid: it stands better in the suite than what it was made from, and than plain quantization
at no more bytes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from edgeshrink.core.behaviour import Behaviour, Metric
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.reading import Measured
from edgeshrink.judging.behaviour import slice_lines
from edgeshrink.judging.gate_lookup import gates_for, limits_of
from edgeshrink.judging.limits import figure

START = "its start"
PLAIN = "plain quantization"
_LEAST = 1e-3
"""Of a limit of 0, which nothing can be divided by (a tenth of a point, a thousandth of a nat)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a model stands in the suite, against the reference that all are held against.

    `failed` and `unknown` name lines of the verdict. `parts`: of each gated slice that was measured, how many times
    what it may lose was lost; 0 where nothing was, and of several gates the one that is used up most.
    """

    failed: tuple[str, ...]
    unknown: tuple[str, ...]
    parts: tuple[tuple[str, float], ...]

    @property
    def score(self) -> float | None:
        """The mean over the parts, lower is better: at 1 the limits are used up. None where nothing was measured."""
        return fmean(share for _, share in self.parts) if self.parts else None


@dataclass(frozen=True, slots=True)
class Paid:
    """`why` says what decided, in words for a table."""

    kept: bool
    why: str


def standing(behaviour: Behaviour, floor: QualityFloor) -> Standing:
    lines = slice_lines(floor, behaviour)
    return Standing(
        failed=tuple(line.name for line in lines if line.outcome == "FAIL"),
        unknown=tuple(line.name for line in lines if line.outcome == "UNKNOWN"),
        parts=tuple(_parts(behaviour, floor)),
    )


def paid(result: Standing, start: Standing | None, plain: Standing | None = None) -> Paid:
    """Kept only if it beats each of those that are given: fewer failed gates, and where these are as many a lower score
    over the slices that both have. What is no better is refused.

    A slice that only one of two has a figure of counts as a failed gate of the other: nothing gets better by not being
    measured.
    """
    rivals = [(name, rival) for name, rival in ((START, start), (PLAIN, plain)) if rival is not None]
    if not rivals:
        return Paid(False, "there is nothing to hold it against")
    duels = [_duel(result, name, rival) for name, rival in rivals]
    lost = [duel for duel in duels if not duel.kept]
    return Paid(not lost, "; ".join(duel.why for duel in lost or duels))


def _duel(result: Standing, name: str, rival: Standing) -> Paid:
    ours, theirs = dict(result.parts), dict(rival.parts)
    mine = len(result.failed) + len(theirs.keys() - ours.keys())
    other = len(rival.failed) + len(ours.keys() - theirs.keys())
    missing = sorted(theirs.keys() - ours.keys())
    unseen = f", {len(missing)} of them not measured" if missing else ""
    if mine != other:
        tail = "" if mine < other else ": worse"
        return Paid(mine < other, f"fails {_gates(mine)}{unseen}, {name} {other or 'none'}{tail}")
    common = ours.keys() & theirs.keys()
    if not common:
        return Paid(False, f"fails {_gates(mine)} as {name} does, and no slice tells them apart")
    score, bar = (fmean(parts[slice] for slice in sorted(common)) for parts in (ours, theirs))
    better = score < bar - 1e-9 * max(abs(bar), 1.0)
    verdict = "" if better else ": no better" if score <= bar else ": worse"
    failing = f"fails {_gates(mine)} as {name} does, and " if mine else ""
    return Paid(better, f"{failing}uses {score:.3g} of what its gates allow, {name} {bar:.3g}{verdict}")


def _gates(count: int) -> str:
    return f"{count} {'gate' if count == 1 else 'gates'}" if count else "no gate"


def _parts(behaviour: Behaviour, floor: QualityFloor) -> Iterator[tuple[str, float]]:
    for one in behaviour.slices:
        if not one.metrics:
            continue
        shares = [
            share
            for held in gates_for(floor, one.name, one.metrics[0].name)
            if (metric := one.metric(held.metric)) is not None
            for field, limit in limits_of(held.gate).items()
            if (share := _used(metric, field, limit, behaviour.confidence.each)) is not None
        ]
        if shares:
            yield one.name, max(shares)


def _used(metric: Metric, field: str, limit: float, each: float) -> float | None:
    """The loss over what may be lost. A limit on the own figure allows what lies between it and the reference's; None
    where the reference itself does not hold it, or where one of the figures is missing."""
    judged = figure(metric, field, limit, each)
    if not isinstance(judged.reading, Measured):
        return None
    lost, allowed = judged.reading.value, limit
    if judged.own:
        if not isinstance(metric.reference, Measured):
            return max(0.0, lost) / max(limit, _LEAST) if judged.comparison == "<=" else None
        sign = 1.0 if judged.comparison == ">=" else -1.0
        lost, allowed = sign * (metric.reference.value - lost), sign * (metric.reference.value - limit)
        if allowed <= 0:
            return None
    return max(0.0, lost) / max(allowed, _LEAST)
