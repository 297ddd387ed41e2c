"""Slices that fell by more than noise: against the reference, and against what a student did before."""

from __future__ import annotations

from sample_behaviour import sample_behaviour, sample_calm_behaviour

from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.judging.kept import capability_line, fallen


def test_what_fell_is_told_and_texts_are_not() -> None:
    behaviour = sample_behaviour()
    wanted = {
        one.name
        for one in behaviour.slices
        for metric in one.metrics[:1]
        if metric.unit == "share" and isinstance(metric.reference, Measured)
        if metric.bounds is not None and metric.bounds[0] > 0
    }
    assert {"arithmetic", "long-context/constraint"} <= wanted
    assert not any(name.startswith("text/") for name in wanted)
    assert {row.name for row in fallen(behaviour)} == wanted
    assert fallen(sample_calm_behaviour()) == ()


def test_what_had_fallen_before_did_not_fall_again() -> None:
    behaviour, calm = sample_behaviour(), sample_calm_behaviour()
    assert fallen(behaviour, behaviour) == ()
    (sums,) = (row for row in fallen(behaviour, calm) if row.name == "arithmetic")
    assert sums.metric and sums.word == "worse"
    assert fallen(calm, behaviour) == ()


def test_the_gate_names_the_worst_and_counts_the_rest() -> None:
    rows = fallen(sample_behaviour())
    line = capability_line(rows)
    assert (line.outcome, line.reading, line.limit) == ("FAIL", Measured(float(len(rows))), 0.0)
    named = ", ".join(f"{row.name} ({row.metric})" for row in rows[:3])
    assert line.why == f"beyond its interval fell {named} and {len(rows) - 3} more"
    assert capability_line(rows[:1]).why == f"beyond its interval fell {rows[0].name} ({rows[0].metric})"
    assert capability_line(()).outcome == "PASS"
    unknown = capability_line(Unmeasured("no room"))
    assert unknown.outcome == "UNKNOWN" and unknown.why.endswith("no room")
