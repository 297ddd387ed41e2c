from __future__ import annotations

import io
import unicodedata
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType
from sample_behaviour import CANNOT, sample_bare_behaviour, sample_behaviour, sample_calm_behaviour

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.verdict import Verdict
from edgeshrink.report.behaviour_terminal import render_behaviour
from edgeshrink.report.terminal import render_report

from .sample import sample_report
from .sample_gates import sample_verdict


def shown(renderable: RenderableType, width: int = 80) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None, legacy_windows=False).print(renderable)
    return stream.getvalue()


def told(behaviour: Behaviour, *, brief: bool = False, width: int = 80) -> str:
    return shown(render_behaviour(behaviour, sample_verdict(behaviour), brief=brief), width)


def row_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"{name} "))


def words(text: str) -> str:
    return " ".join(text.split())


def test_every_measured_slice_has_its_loss_interval_limit_and_outcome() -> None:
    behaviour = sample_behaviour()
    text = told(behaviour)
    for one in behaviour.slices:
        if one.name != "bfcl/irrelevance":
            assert any(word in row_of(text, one.name) for word in ("PASS", "FAIL", "UNKNOWN")), one.name
    broken = row_of(text, "arithmetic").split()
    assert broken == ["arithmetic", "98.5", "%", "56.0", "%", "42.5", "±", "6.8", "≤", "5", "✗", "FAIL"]
    assert "-4.0 ± 6.6" in row_of(text, "own/support"), "what got better is below zero"


def test_what_broke_is_said_first_and_the_worst_before_the_others() -> None:
    head = words(told(sample_behaviour()).split("slice ")[0] + told(sample_behaviour())[:700])
    assert head.index("arithmetic lost 42.5 ± 6.8 points") < head.index("long-context/constraint lost 23.8")
    assert "4 slices fail their gate, 9 could be noise, 15 hold it, 1 was not measured" in head


def test_what_the_reference_cannot_do_is_told_with_its_reason_and_is_no_pass() -> None:
    text = told(sample_behaviour())
    assert CANNOT in words(text)
    assert not [line for line in text.splitlines() if "irrelevance" in line and "PASS" in line]


def test_of_several_gates_the_tightest_stands_beside_the_slice() -> None:
    """Of tools/json: 5 points, and at least 90 %, which are 9 points below the reference's 99 %."""
    behaviour = sample_behaviour()
    assert "≤ 5 ✓" in words(row_of(told(behaviour), "tools/json"))
    verdict = sample_verdict(behaviour)
    lines = tuple(line for line in verdict.lines if line.name != "slice tools/json")
    only = shown(render_behaviour(behaviour, replace(verdict, lines=lines)))
    assert "≤ 9 ✓" in words(row_of(only, "tools/json"))


def test_a_gate_on_another_metric_has_a_row_of_its_own() -> None:
    text = words(told(sample_behaviour()))
    assert "over-confidence" in text and "3.7 ± 1.5 ≤ 3 ? UNKNOWN" in text


def test_where_it_comes_from_names_the_narrowest_group_that_gives_it_back() -> None:
    text = words(told(sample_behaviour()))
    assert "arithmetic: 71 % (55 to 86 %) of the loss comes back with blk.3.ffn_down at F16, +512 KiB" in text
    assert "long-context/constraint: 53 % (18 to 88 %) of the loss comes back with blk.1.attn_k" in text


def test_the_fallback_is_told_with_its_check_and_a_failed_check_is_no_advice() -> None:
    behaviour = sample_behaviour()
    assert "which the stated risk allows" in words(told(behaviour))
    assert not isinstance(behaviour.fallback, Unmeasured)
    broken = replace(behaviour, fallback=replace(behaviour.fallback, kept=False))
    assert "do not rely on it" in words(told(broken))
    assert "40 answers are too few" in words(told(sample_calm_behaviour()))


@pytest.mark.parametrize("width", [60, 80, 160])
@pytest.mark.parametrize("behaviour", [sample_behaviour(), sample_calm_behaviour(), sample_bare_behaviour()])
def test_nothing_is_cut_and_nothing_steers_the_terminal(behaviour: Behaviour, width: int) -> None:
    text = told(behaviour, width=width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "…" not in text
    assert not [char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs") and char != "\n"]


def test_words_of_a_model_are_never_styles() -> None:
    behaviour = sample_behaviour()
    one = behaviour.slice("arithmetic")
    assert one is not None
    loud = replace(one, worst=(replace(one.worst[0], reference="[bold red]loud[/bold red]"),))
    assert "[bold red]loud[/bold red]" in words(told(replace(behaviour, slices=(loud,))))


def test_in_brief_only_what_lost_or_is_open_stands_in_the_tables() -> None:
    text = told(sample_behaviour(), brief=True)
    assert "arithmetic" in text and "text/it" in text and "long-context/recall" in text
    assert "text/general" not in text and "format/stop" not in text
    assert "15 more figures: nothing lost beyond noise, no gate open" in text


def test_a_file_that_lost_nothing_says_so() -> None:
    text = words(told(sample_calm_behaviour(), brief=True))
    assert "No slice lost more than noise explains." in text
    assert "Worst items" not in text and "Where it comes from" not in text


def test_without_a_verdict_the_figures_stand_without_outcomes() -> None:
    text = shown(render_behaviour(sample_behaviour()))
    assert "42.5 ± 6.8" in text and "FAIL" not in text and "PASS" not in text


def test_a_build_tells_its_gates_once_beside_the_slices() -> None:
    report, behaviour = sample_report(), sample_behaviour()
    verdict = Verdict("FAIL", (*report.verdict.lines, *sample_verdict(behaviour).lines))
    text = shown(render_report(replace(report, behaviour=behaviour, verdict=verdict)), 100)
    assert "Slice arithmetic" not in text and text.count("Worst slice") == 1
    assert "text/general" not in text, "a build tells in brief"
    assert "arithmetic lost 42.5 ± 6.8 points" in words(text)


def test_a_suite_on_a_file_that_exists_is_told_in_full() -> None:
    report, behaviour = sample_report(), sample_behaviour()
    verdict = sample_verdict(behaviour)
    told_of = replace(report, compression=None, behaviour=behaviour, verdict=verdict)
    text = shown(render_report(told_of), 100)
    assert "text/general" in text and text.count("Worst slice") == 1


def test_a_gate_on_a_slice_that_was_never_asked_stays_a_line_of_the_budget() -> None:
    report, behaviour = sample_report(), sample_bare_behaviour()
    lines = tuple(line for line in sample_verdict(sample_behaviour()).lines if line.slice == "refusal")
    verdict = replace(report.verdict, lines=(*report.verdict.lines, *lines))
    assert "Slice refusal" in shown(render_report(replace(report, behaviour=behaviour, verdict=verdict)), 100)
