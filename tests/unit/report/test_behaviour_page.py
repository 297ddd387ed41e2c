from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from sample_behaviour import CANNOT, HOSTILE, sample_bare_behaviour, sample_behaviour, sample_calm_behaviour

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.report import Report
from edgeshrink.core.verdict import Verdict
from edgeshrink.report.html import report_to_html

from .sample import sample_report
from .sample_gates import sample_verdict
from .test_html import Page, poisoned

EVERY = [sample_behaviour(), sample_calm_behaviour(), sample_bare_behaviour()]
STAYS = {"better", "schema"}


def built(behaviour: Behaviour) -> Report:
    """A report of a build whose suite found that."""
    report = sample_report()
    verdict = Verdict("FAIL", (*report.verdict.lines, *sample_verdict(behaviour).lines))
    return replace(report, behaviour=behaviour, verdict=verdict)


def told(behaviour: Behaviour) -> str:
    return report_to_html(built(behaviour))


@pytest.mark.parametrize("behaviour", EVERY)
def test_every_slice_every_gate_and_every_worst_item_is_on_the_page(behaviour: Behaviour) -> None:
    page = Page(told(behaviour))
    assert page.open == []
    for one in behaviour.slices:
        assert page.text.count(one.name) >= 2 and one.title in page.text
        for metric in one.metrics:
            assert metric.name in page.text
        for part in one.parts:
            assert part.name in page.text
        for note in one.notes:
            assert note in page.text
    for line in sample_verdict(behaviour).lines:
        assert line.why in page.text, line.name


def test_the_table_says_limit_loss_and_outcome_in_a_row() -> None:
    text = Page(told(sample_behaviour())).text
    assert "98.5 % 56.0 % 42.5 ± 6.8 points ≤ 5 points ≤ 10 % of its own ✗ FAIL" in text
    assert "99.0 % 99.0 % 0.0 ± 1.2 points ≤ 5 points ≥ 90 % ✓ PASS" in text
    assert CANNOT in text


def test_gates_of_slices_stand_with_the_slices_and_not_among_the_lines_of_the_budget() -> None:
    source = told(sample_behaviour())
    budget, _, rest = source.partition('<h2 id="behaviour">')
    assert "Slice arithmetic" not in budget and "Worst slice" in budget
    assert "arithmetic lost 42.5 ± 6.8 points" in Page(source).text
    assert "Lost most" in budget and rest.count("<h2") > 3


def test_hostile_text_of_a_model_is_shown_and_is_no_markup() -> None:
    source = told(sample_behaviour())
    page = Page(source)
    assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "b style"}
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert html.escape("<script>alert('worst')</script>", quote=False).replace("'", "&#39;") in source
    assert "\x1b" not in source and "\u202e" not in source and "\x07" not in source
    assert HOSTILE.partition("\x1b")[0].strip() in page.text


@pytest.mark.parametrize("clean", [sample_behaviour(), sample_bare_behaviour()])
def test_no_text_of_a_behaviour_becomes_markup(clean: Behaviour) -> None:
    source = report_to_html(poisoned(built(clean), STAYS))
    page = Page(source)
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in Page(told(clean)).tags} | {"br"}
    assert "<script" not in source and "{{ 7*7 }}" in page.text
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]


def test_the_page_asks_for_nothing_and_has_words_for_who_cannot_see() -> None:
    source = told(sample_behaviour())
    page = Page(source)
    assert not re.search(r"https?:(?!//example.org)|url\(|@import", source)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids)), "an id stands once"
    for attributes in (a for tag, a in page.tags if tag == "svg"):
        assert set((attributes["aria-labelledby"] or "").split()) <= set(ids)
    regions = [attributes for _, attributes in page.tags if attributes.get("role") == "region"]
    assert regions and all(a.get("aria-label") and a.get("tabindex") == "0" for a in regions)
    assert all(a.get("scope") in ("col", "row") for tag, a in page.tags if tag == "th")


def test_the_slice_that_lost_most_has_its_items_open() -> None:
    source = told(sample_behaviour())
    opened = re.findall(r"<details open>\n<summary><b>([^<]+)</b>", source)
    assert opened == ["arithmetic"]


def test_what_moved_together_what_it_comes_from_and_when_to_hand_over() -> None:
    text = Page(told(sample_behaviour())).text
    assert "long-context/constraint, stability/flips, text/it" in text
    assert "71 % (55 to 86 %) of the loss comes back with blk.3.ffn_down" in text
    assert "Hand over below a confidence of 0.62" in text
    calm = Page(told(sample_calm_behaviour())).text
    assert "No slice lost more than noise explains." in calm
    assert "no slice lost more than noise explains" in calm and "40 answers are too few" in calm


def test_equal_behaviours_give_equal_pages() -> None:
    assert told(sample_behaviour()) == told(sample_behaviour())
