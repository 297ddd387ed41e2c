from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from sample_shrinkage import (
    FAILURES,
    sample_hostile_step,
    sample_prune_step,
    sample_refused_shrinkage,
    sample_shrinkage,
    sample_sparse_step,
    sample_step,
)

from edgeshrink.core.shrinking import ShrinkStep
from edgeshrink.report.shrink_terminal import render_shrinkage, render_step
from edgeshrink.report.terminal import render_report

from .sample import sample_report
from .sample_gates import sample_verdict
from .test_behaviour_terminal import row_of, shown, words


def test_a_prune_tells_what_was_cut_why_and_what_was_considered() -> None:
    text = words(shown(render_step(sample_prune_step())))
    assert "size 4.98 M to 3.35 M parameters, 67.1 %" in text
    assert "cut layers 5 to 4, feed-forward width 768 to 512" in text
    assert "methods measured-kl, ffn" in text and "why this least mean KL of 3 shapes" in text
    assert "3 layers 66.8 % 1.93 nats" in text


def test_a_run_tells_its_objective_its_pace_and_where_it_ended() -> None:
    text = words(shown(render_step(sample_step())))
    assert "Distil from acme/demo-5M kept: fails 4 gates, its start 21" in text
    assert "forward KL to the teacher at temperature 2, with 10.0 % cross-entropy of the text" in text
    assert "240 of 240 steps, 983,040 tokens, 5,851 tokens/s" in text and "resumed once" in text
    assert "held-out loss 0.110, was 2.20 at step 0" in text and "0.903 bits per byte" in text
    assert "ended the gates hold" in text and "98.0 bytes a token" in text


def test_zeros_are_said_to_make_nothing_faster() -> None:
    step = sample_sparse_step()
    assert "zeros are not skipped by any runtime here" in words(shown(render_step(step)))
    assert step.pruning is not None
    silent = replace(step, pruning=replace(step.pruning, warning=""))
    assert "it will not run faster" in words(shown(render_step(silent))), "even where nobody wrote a warning"
    faster = replace(silent, pruning=replace(step.pruning, warning="", runtime_faster=True))
    assert "faster" not in words(shown(render_step(faster)))


def test_failures_are_counted_and_the_slice_that_lost_most_comes_first() -> None:
    text = shown(render_step(replace(sample_step(), behaviour=None)))
    assert "of 570 items both fail 9, the student lost 40, and 6 only it can do" in words(text)
    assert row_of(text, "arithmetic").split() == ["arithmetic", "200", "3", "31", "2"]
    assert text.index("arithmetic") < text.index("long-context/recall") < text.index("tools/json")
    assert "format/stop" not in text, "where nobody failed there is nothing to say"


def test_many_slices_that_moved_are_cut_short_and_counted() -> None:
    many = tuple(replace(FAILURES[0], slice=f"slice-{index:02d}", lost=index + 1) for index in range(20))
    text = shown(render_step(replace(sample_step(), behaviour=None, failures=many)))
    assert "slice-19" in text and "slice-00" not in text and "12 more slices moved" in text


def test_texts_without_a_licence_are_named() -> None:
    said = "No licence is stated for the data notes.jsonl: pass this model on only if you hold the rights"
    assert said in words(shown(render_step(sample_step())))
    assert "licence" not in words(shown(render_step(sample_prune_step())))


def test_the_gates_of_a_verdict_stand_beside_the_slices() -> None:
    step = replace(sample_step(), failures=())
    assert step.behaviour is not None
    assert "FAIL" not in shown(render_step(step))
    assert "✗ FAIL" in row_of(shown(render_step(step, sample_verdict(step.behaviour))), "arithmetic")


def test_the_table_says_what_each_step_cost_and_bought() -> None:
    text = shown(render_shrinkage(sample_shrinkage()))
    assert words(row_of(text, "2")) == "2 Whole model Q2_K 4.98 M 1.96 MiB 2.20 s 0.842 19 6.40 yes"
    assert "4 kept: fails 4 gates, its start 21, plain quantization 19" in words(text)
    assert "1 refused: 3.0 MiB > 2.1 MiB" in words(text)


def test_a_refusal_names_the_nearest_budget_before_the_table() -> None:
    text = words(shown(render_shrinkage(sample_refused_shrinkage())))
    assert text.index("Refused: no shape below 2.1 MiB") < text.index("What would work: 2.6 MiB") < text.index("Q4_K_M")
    assert "no mean KL: the suite ended before the text was read" in text


def test_a_build_shows_the_table_before_its_verdict() -> None:
    text = shown(render_report(replace(sample_report(), shrinkage=sample_shrinkage())), 100)
    assert text.index("Making the model smaller") < text.index("budget line")
    assert "Making the model smaller" not in shown(render_report(sample_report()))


@pytest.mark.parametrize("width", [60, 80, 160])
@pytest.mark.parametrize("step", [sample_step(), sample_prune_step(), sample_sparse_step(), sample_hostile_step()])
def test_no_step_is_cut_off_or_steers_the_terminal(step: ShrinkStep, width: int) -> None:
    _is_plain(shown(render_step(step), width), width)


@pytest.mark.parametrize("width", [80, 160])
def test_no_table_of_steps_is_cut_off_or_steers_the_terminal(width: int) -> None:
    hostile = sample_hostile_step()
    loud = replace(sample_shrinkage().rungs[0], title=hostile.title, why=hostile.why, scheme="[bold]Q4[/bold]")
    told = replace(sample_shrinkage(), steps=(hostile,), rungs=(loud,), nearest=hostile.title)
    text = shown(render_shrinkage(told), width)
    _is_plain(text, width)
    assert "[bold]Q4[/bold]" in text
    for shrinkage in (sample_shrinkage(), sample_refused_shrinkage()):
        _is_plain(shown(render_shrinkage(shrinkage), width), width)


def _is_plain(text: str, width: int) -> None:
    assert all(len(line) <= width for line in text.splitlines())
    assert "…" not in text
    assert not [char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs") and char != "\n"]
