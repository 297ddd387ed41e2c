"""A behaviour as rows: each figure of a slice beside the gates that look at it, and what they allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeshrink.core.behaviour import Behaviour, Metric, Slice
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.verdict import Outcome, Verdict, VerdictLine

_LEAST = 0.0005
"""Of a share: what is less reads as 0.0 points."""
_SEVERITY: tuple[Outcome, ...] = ("FAIL", "UNKNOWN", "PASS")


@dataclass(frozen=True, slots=True)
class SliceRow:
    """One metric of one slice. `gates` are the verdict's lines that look at it."""

    slice: Slice
    metric: Metric
    gates: tuple[VerdictLine, ...]

    @property
    def outcome(self) -> Outcome | None:
        """The worst of its gates; None where there is none."""
        return next((word for word in _SEVERITY if any(gate.outcome == word for gate in self.gates)), None)

    @property
    def distance(self) -> bool:
        """Whether it is a distance to the reference, which the reference has none of."""
        return isinstance(self.metric.reference, Unmeasured)

    @property
    def unmeasured(self) -> str:
        """Why there is no loss; "" where there is one."""
        return self.metric.loss.reason if isinstance(self.metric.loss, Unmeasured) else ""

    @property
    def loss(self) -> Measured | None:
        return self.metric.loss if isinstance(self.metric.loss, Measured) else None

    @property
    def moved(self) -> bool:
        """Lost more than noise explains. A distance is never below 0, so of one only its gate can say that."""
        if self.outcome == "FAIL":
            return True
        if self.loss is None or self.distance or self.loss.low is None:
            return False
        seen = self.metric.unit != "share" or self.loss.value >= _LEAST
        return seen and self.loss.low > 0

    @property
    def limits(self) -> tuple[float, ...]:
        """What its gates allow, on the scale of the loss."""
        found = (limit_on_loss(gate, self.metric) for gate in self.gates)
        return tuple(limit for limit in found if limit is not None)


def gate_lines(verdict: Verdict | None) -> tuple[VerdictLine, ...]:
    """The lines that look at one slice each."""
    return () if verdict is None else tuple(line for line in verdict.lines if line.slice)


def other_lines(verdict: Verdict, behaviour: Behaviour | None) -> tuple[VerdictLine, ...]:
    """The lines that no row of the behaviour tells: those of a slice that a gate names and nobody measured, too."""
    slices = behaviour.slices if behaviour else ()
    told = {
        (one.name, metric.name) for one in slices for metric in one.metrics if not isinstance(metric.loss, Unmeasured)
    }
    return tuple(line for line in verdict.lines if (line.slice, line.metric) not in told)


def slice_rows(behaviour: Behaviour, verdict: Verdict | None) -> tuple[SliceRow, ...]:
    """Every slice by its first metric, and by each other metric that a gate looks at; in the suite's order."""
    lines = gate_lines(verdict)
    return tuple(row for one in behaviour.slices for row in _of(one, lines))


def worst_first(rows: Sequence[SliceRow]) -> tuple[SliceRow, ...]:
    """Those that moved: failed gates before all others, then by how many times the limit was lost."""
    moved = [row for row in rows if row.moved]
    return tuple(sorted(moved, key=lambda row: (row.outcome != "FAIL", -_times_allowed(row), -_value(row))))


def gated_loss(gate: VerdictLine, metric: Metric) -> bool:
    """Whether the gate limits the loss itself, in the metric's own unit."""
    return gate.comparison == "<=" and gate.unit == metric.unit and gate.reading == metric.loss


def percent_gate(gate: VerdictLine, metric: Metric) -> bool:
    """Whether the gate limits the loss in percent of the reference's own figure."""
    return gate.unit == "%" != metric.unit


def limit_on_loss(gate: VerdictLine, metric: Metric) -> float | None:
    """Where the gate's limit stands on the scale of the loss; None where that is not known."""
    if gated_loss(gate, metric):
        return gate.limit
    reference = metric.reference
    if isinstance(reference, Unmeasured):
        return gate.limit if gate.comparison == "<=" and gate.unit == metric.unit else None
    if percent_gate(gate, metric):
        return gate.limit * abs(reference.value) / 100
    return reference.value - gate.limit if gate.comparison == ">=" else gate.limit - reference.value


def finite_ends(reading: Reading) -> tuple[float, float] | None:
    """Its 95 % interval, where it has one."""
    if isinstance(reading, Unmeasured) or reading.low is None or reading.high is None:
        return None
    return reading.low, reading.high


def _of(one: Slice, lines: Sequence[VerdictLine]) -> Iterator[SliceRow]:
    for at, metric in enumerate(one.metrics):
        gates = tuple(line for line in lines if (line.slice, line.metric) == (one.name, metric.name))
        if at == 0 or gates:
            yield SliceRow(one, metric, gates)


def _times_allowed(row: SliceRow) -> float:
    limits = [limit for limit in row.limits if limit > 0]
    return _value(row) / min(limits) if limits else 0.0


def _value(row: SliceRow) -> float:
    return 0.0 if row.loss is None else row.loss.value
