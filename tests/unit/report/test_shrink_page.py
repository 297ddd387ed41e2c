from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sample_shrinkage import (
    sample_hostile_step,
    sample_prune_step,
    sample_record,
    sample_refused_shrinkage,
    sample_shrinkage,
    sample_sparse_step,
    sample_step,
)

from edgeshrink.core.shrinking import Shrinkage, ShrinkStep
from edgeshrink.report.html import report_to_html
from edgeshrink.report.step_page import step_to_html
from edgeshrink.report.training_page import percent_done, seconds_left, training_html

from .sample import sample_report
from .test_html import Page, poisoned

STAYS = {"better", "schema", "divergence", "optimizer", "precision", "parallel"}
STEPS = [sample_step(), sample_prune_step(), sample_sparse_step(), sample_hostile_step()]


def built(shrinkage: Shrinkage) -> str:
    return report_to_html(replace(sample_report(), shrinkage=shrinkage))


def test_every_step_of_the_ladder_is_a_row_with_its_cost_and_what_it_bought() -> None:
    text = Page(built(sample_shrinkage())).text
    assert (
        "3 Prune to 67 % at Q4_K_M fails 21 gates, plain quantization 19 3.35 M 2.00 MiB 41.0 s 0.610 21 5.10" in text
    )
    assert "3 min 22 s, 983,040 tokens 0.121 4 0.700 yes ★ ships" in text
    assert "Weights 3.35 M of 4.98 M" in text, "a tile at the top"


def test_every_step_has_its_axes_its_curves_its_failures_and_its_texts() -> None:
    page = Page(built(sample_shrinkage()))
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert {"bought", "step-1-cut", "step-1-failures", "step-2-loss", "step-2-text", "step-2-pace"} <= ids
    for words in ("layers 5 to 4", "ffn 256 66.5 % 0.877 nats", "books/german.txt 412 301,877 cc0-1.0", "not stated"):
        assert words in page.text
    assert "arithmetic 200 3 31 2" in page.text and "240 ✓ PASS 0.0940" in page.text
    assert "Kept : fails 4 gates, its start 21." in page.text


def test_a_refusal_stands_at_the_top_with_what_would_work() -> None:
    text = Page(built(sample_refused_shrinkage())).text
    head = text.partition("Verdict, line by line")[0]
    assert "Nothing smaller was made: no shape below 2.1 MiB holds the floor. What would work: 2.6 MiB" in head
    assert "ships" not in text and "the suite ended before the text was read" in text


def test_a_row_that_was_kept_only_to_go_on_from_there_does_not_ship() -> None:
    found = sample_shrinkage()
    pruned, healed = (replace(rung, kept=rung is found.rungs[2]) for rung in found.rungs[2:])
    assert "ships" not in built(replace(found, rungs=(*found.rungs[:2], pruned, healed)))


def test_a_report_of_a_model_that_nobody_cut_has_no_such_section() -> None:
    assert "Making the model smaller" not in report_to_html(sample_report())


@pytest.mark.parametrize("step", STEPS)
def test_the_page_of_one_step_is_whole(step: ShrinkStep) -> None:
    source = step_to_html(step)
    page = Page(source)
    assert page.open == [] and "Behaviour, slice by slice" in page.text
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids)), "an id stands once"
    assert step_to_html(step) == source
    for warning in (step.pruning.warning if step.pruning else "",):
        assert warning.removesuffix(".")[1:] in page.text


def test_zeros_are_said_to_make_nothing_faster_on_the_page() -> None:
    assert "it will not be faster" in Page(step_to_html(sample_sparse_step())).text
    assert "faster" not in Page(step_to_html(sample_prune_step())).text


@pytest.mark.parametrize("shrinkage", [sample_shrinkage(), sample_refused_shrinkage()])
def test_no_text_of_a_step_becomes_markup(shrinkage: Shrinkage) -> None:
    clean = Page(built(shrinkage))
    source = built(poisoned(shrinkage, STAYS))
    page = Page(source)
    assert page.open == []
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in clean.tags}
    assert "<script" not in source and "{{ 7*7 }}" in page.text
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]


def test_no_text_of_a_run_becomes_markup() -> None:
    source = training_html(poisoned(sample_record(), STAYS), running=True)
    page = Page(source)
    assert page.open == [] and "<script" not in source and "{{ 7*7 }}" in page.text
    assert "\x1b" not in step_to_html(sample_hostile_step())


def test_the_page_of_a_step_and_of_a_run_ask_for_nothing() -> None:
    for source in (step_to_html(sample_step()), training_html(sample_record(), running=False)):
        assert not re.search(r"https?:(?!//example.org)|url\(|@import|http-equiv=\"refresh\"", source)
        page = Page(source)
        regions = [attributes for _, attributes in page.tags if attributes.get("role") == "region"]
        assert all(a.get("aria-label") and a.get("tabindex") == "0" for a in regions)
        assert all(a.get("scope") in ("col", "row") for tag, a in page.tags if tag == "th")


def test_a_running_page_loads_itself_again_and_says_how_long_it_will_take() -> None:
    record = sample_record(steps=130)
    source = training_html(record, running=True)
    text = Page(source).text
    assert '<meta http-equiv="refresh" content="15">' in source
    assert "Step 130 of 240" in text and "Gates FAIL at step 120: slice arithmetic lost 31.0 points" in text
    left = seconds_left(record)
    assert left == pytest.approx(110 * 4096 / 6000, rel=0.05) and "1.3 min left" in text
    assert percent_done(record) == 54


def test_a_run_that_ended_says_why_and_goes_nowhere() -> None:
    text = Page(training_html(sample_record(), running=False)).text
    assert "Ended: the gates hold." in text and "left" not in text
    early = replace(sample_record(steps=120), stopped="the gates hold")
    assert percent_done(early) == 100 and seconds_left(early) is None


def test_a_run_without_a_step_is_a_page_too() -> None:
    record = replace(sample_record(steps=0), held_out=(), planned_steps=0, tokens_s=0.0)
    page = Page(training_html(record, running=True))
    assert page.open == [] and "Nothing was logged yet." in page.text and "not known yet" in page.text
    assert seconds_left(record) is None and percent_done(record) == 0


def test_equal_runs_give_equal_pages() -> None:
    assert training_html(sample_record(), running=True) == training_html(sample_record(), running=True)
