from __future__ import annotations

from dataclasses import replace

import pytest
from sample_behaviour import CANNOT, sample_bare_behaviour, sample_behaviour, sample_calm_behaviour

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.verdict import Verdict
from edgeshrink.report.card import model_card

from .sample import sample_report
from .sample_gates import sample_verdict


def card(behaviour: Behaviour) -> str:
    report = sample_report()
    verdict = Verdict("FAIL", (*report.verdict.lines, *sample_verdict(behaviour).lines))
    return model_card(replace(report, behaviour=behaviour, verdict=verdict))


def test_every_measured_slice_is_a_row_with_its_loss_and_its_gate() -> None:
    rows = [line for line in card(sample_behaviour()).splitlines() if line.startswith("| ")]
    assert "| arithmetic | 200 | 98.5 % | 56.0 % | 42.5 ± 6.8 points | ≤ 5 points, ≤ 10 % of its own | FAIL |" in rows
    assert "| text/it, mean KL | 4,096 | — | — | 0.118 ± 0.007 nats | ≤ 0.1 nats | FAIL |" in rows
    for one in sample_behaviour().slices:
        found = [row for row in rows if row.startswith((f"| {one.name} |", f"| {one.name}, "))]
        assert bool(found) == (one.name != "bfcl/irrelevance")


def test_what_broke_what_was_not_measured_and_the_fallback_are_told() -> None:
    text = card(sample_behaviour())
    assert "**arithmetic lost 42.5 ± 6.8 points" in text
    assert f"Not measured, bfcl/irrelevance: {CANNOT}" in text
    assert "Moved together: arithmetic, text/digits" in text
    assert "71 % (55 to 86 %) of the loss comes back with blk.3.ffn\\_down" in text.replace("ffn_down", "ffn\\_down")
    assert "Hand over below a confidence of 0.62" in text
    assert text.index("## Quality") < text.index("## Behaviour") < text.index("## Speed")


def test_gates_of_slices_are_no_lines_of_the_budgets_table() -> None:
    budget = card(sample_behaviour()).partition("## Behaviour")[0]
    assert "| Worst slice |" in budget and "Slice arithmetic" not in budget


@pytest.mark.parametrize("behaviour", [sample_behaviour(), sample_calm_behaviour(), sample_bare_behaviour()])
def test_hostile_notes_do_not_break_out_and_tables_are_whole(behaviour: Behaviour) -> None:
    text = card(behaviour)
    assert "<script>" not in text.replace("\\<script\\>", "") and "\x1b" not in text
    width = 0
    for line in text.splitlines():
        bars = line.replace("\\|", "").count("|")
        if line.startswith("| ") and width:
            assert bars == width, line
        width = bars if line.startswith("|") else 0


def test_a_report_without_a_suite_has_no_such_section() -> None:
    assert "## Behaviour" not in model_card(sample_report())
