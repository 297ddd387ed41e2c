"""The stages of a step are a table on the terminal and on its page, what was refused among them."""

from __future__ import annotations

from dataclasses import replace

from sample_shrinkage import sample_prune_step, sample_shrinkage

from edgeshrink.core.shrinking import ShrinkStep
from edgeshrink.report.shrink_terminal import render_step
from edgeshrink.report.step_page import step_to_html

from .test_behaviour_terminal import shown, words
from .test_html import Page, poisoned


def staged(title: str = "8 of 16 experts") -> ShrinkStep:
    step, (rung, *_) = sample_prune_step(), sample_shrinkage().rungs
    assert step.pruning is not None
    stages = (
        replace(rung, title=title, scheme="unquantized", kept=True, why="dropped by attribution"),
        replace(rung, title="healed", scheme="unquantized", tokens=4096, kept=False, why="fails text/general"),
    )
    return replace(step, stages=stages, pruning=replace(step.pruning, axes=(("experts", 16, 8),)))


def test_the_terminal_tells_every_stage_and_what_became_of_it() -> None:
    text = words(shown(render_step(staged())))
    assert "cut experts a layer 16 to 8" in text
    assert "1 8 of 16 experts unquantized" in text and "1 kept: dropped by attribution" in text
    assert "2 refused: fails text/general" in text


def test_the_page_tells_them_too_and_is_silent_where_there_are_none() -> None:
    text = Page(step_to_html(staged())).text
    assert "Stage by stage" in text and "2 healed at unquantized fails text/general" in text
    assert "Stage by stage" not in Page(step_to_html(sample_prune_step())).text


def test_a_hostile_title_is_shown_as_text() -> None:
    poison = poisoned("stage")
    assert poison not in step_to_html(staged(poison))
