"""Repetition is counted in words, a loop is found whatever its length, and a good text has neither."""

from __future__ import annotations

from random import Random

import pytest

from edgeshrink.catalog.texts import language_text
from edgeshrink.evaluate.probes import TEMPERATURES, Answer, Generate, Refused, Said
from edgeshrink.evaluate.slices import writing
from edgeshrink.evaluate.slices.interface import Settings
from edgeshrink.evaluate.slices.words.story_requests import REQUESTS

CHAT = Settings(chat=True, context=512, characters_per_token=2.6)
GOOD = "The old king walked down to the river, and there he met a child who had lost her way in the snow."


def _said(text: str) -> Answer:
    return Said(text, 9, "limit", (), (0.0,) * len(TEMPERATURES))


@pytest.mark.parametrize(
    ("text", "share"),
    [("", 0.0), ("one two three", 0.0), (GOOD, 0.0), ("a b c d a b c d", 1 / 5), ("la " * 20, 16 / 17)],
)
def test_repetition_is_the_share_of_four_words_that_stood_there_before(text: str, share: float) -> None:
    assert writing.repeated(text) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        ("", 0.0),
        (GOOD, 0.0),
        ("It was ha ha", 0.0),
        (f"{GOOD} and the and the and the and the", 1.0),
        (f"{GOOD} {'!' * 12}", 1.0),
        ("Hm... " + GOOD + "...", 0.0),
        (GOOD * 3, 1.0),
        (GOOD * 2, 0.0),
        ("and the and the and the and the. " + GOOD, 0.0),
    ],
)
def test_a_loop_is_an_end_that_says_one_piece_three_times(text: str, loop: float) -> None:
    assert writing.loops(text) == loop


def test_a_candidate_that_repeats_itself_loses_and_one_that_says_nothing_wins_nothing() -> None:
    (item,) = writing.items(CHAT, Random(1), 1)
    good, stuck = [_said(GOOD), _said(GOOD)], [_said(GOOD), _said("no " * 40)]
    (score,) = writing.score(item, good, stuck)
    assert score.values["repeated 4-grams"] == (0.0, pytest.approx(36 / 37 / 2))
    assert score.values["loops"] == (0.0, 0.5)
    assert score.shown.candidate.endswith("no no no ")
    (silent,) = writing.score(item, good, [Refused("no"), Refused("no")])
    assert silent.values["repeated 4-grams"] == (0.0, 1.0)


def test_a_reference_that_could_not_be_asked_says_nothing() -> None:
    (item,) = writing.items(CHAT, Random(1), 1)
    assert not list(writing.score(item, [Refused("no"), _said(GOOD)], [_said(GOOD), _said(GOOD)]))


def test_passages_are_the_books_own_words_and_fit_a_small_context() -> None:
    tiny = Settings(chat=False, context=96, characters_per_token=2.6)
    for settings in (CHAT, tiny):
        for item in writing.items(settings, Random(3), 20):
            greedy, drawn = item.probes
            assert isinstance(greedy, Generate)
            assert isinstance(drawn, Generate)
            assert (greedy.temperature, drawn.temperature) == (0.0, 1.0)
            language = item.facts["part"]
            text = greedy.prompt.text
            if settings.chat:
                text = greedy.prompt.messages[0]["content"].removeprefix(f"{REQUESTS[language]} ")
            assert text in language_text(language).text
            assert len(text) > 20
            assert len(text) + greedy.max_tokens * 2.6 <= settings.context * settings.characters_per_token


def test_options_set_how_much_is_written() -> None:
    settings = Settings(chat=True, context=512, characters_per_token=2.6, options={"tokens": 7, "drawn": 3})
    (item,) = writing.items(settings, Random(1), 1)
    assert [probe.max_tokens for probe in item.probes if isinstance(probe, Generate)] == [7] * 4
    assert len({probe.seed for probe in item.probes[1:] if isinstance(probe, Generate)}) == 3
