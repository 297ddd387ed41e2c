"""What a model is judged by must not stand in what it was shown: shared runs of words are found and named."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeshrink.catalog.overlap import LARGEST_SHARE, WORDS, refuse_items, refuse_overlap
from edgeshrink.catalog.texts import Text
from edgeshrink.errors import DataError


def _text(name: str, words: list[str]) -> Text:
    return Text.of(name, " ".join(words).encode())


def _novel(seed: str, count: int) -> list[str]:
    random = Random(seed)
    return [f"w{random.randrange(10**9)}" for _ in range(count)]


@given(st.integers(0, 40), st.integers(0, 300))
def test_it_is_refused_exactly_where_the_share_of_common_runs_is_above_the_limit(copied: int, at: int) -> None:
    asked, seen = _novel("asked", 600), _novel("seen", 2000)
    seen[500:500] = asked[at : at + copied]
    common = max(0, copied - WORDS + 1)
    share = common / (600 - WORDS + 1)
    if share > LARGEST_SHARE:
        with pytest.raises(DataError, match=f"seen holds {common} of the 588 runs of 13 words of asked"):
            refuse_overlap(_text("seen", seen), _text("asked", asked))
    else:
        refuse_overlap(_text("seen", seen), _text("asked", asked))


def test_a_short_text_that_stands_in_a_long_one_is_found_either_way() -> None:
    long = _novel("long", 5000)
    short = long[1000:1060]
    with pytest.raises(DataError, match="holds 48 of the"):
        refuse_overlap(_text("short", short), _text("long", long))
    with pytest.raises(DataError, match="holds 48 of the 48 runs"):
        refuse_overlap(_text("long", long), _text("short", short))


def test_case_and_punctuation_hide_nothing() -> None:
    words = _novel("x", 100)
    shouted = Text.of("shouted", "; ".join(word.upper() for word in words).encode())
    with pytest.raises(DataError, match="holds 88 of the 88 runs"):
        refuse_overlap(shouted, _text("asked", words))


def test_a_language_without_spaces_is_divided_into_its_signs() -> None:
    sentence = "山路を登りながらこう考えた智に働けば角が立つ情に棹させば流される意地を通せば窮屈だ"
    seen = Text.of("seen", f"前書き{sentence}後書き".encode())
    with pytest.raises(DataError, match=f"of the {len(sentence) - WORDS + 1} runs"):
        refuse_overlap(seen, Text.of("asked", sentence.encode()))


def test_texts_too_short_for_a_run_share_none() -> None:
    refuse_overlap(Text.of("a", b"the same few words"), Text.of("b", b"the same few words"))
    refuse_overlap(Text.of("a", b""), Text.of("b", b""))


def test_items_that_stand_in_the_text_are_counted_and_the_first_is_shown() -> None:
    items = [" ".join(_novel(f"item {index}", 20)) for index in range(10)]
    seen = Text.of("calibration.txt", f"before {items[3]} between {items[7][:-1]} after".encode())
    with pytest.raises(
        DataError,
        match=re.escape(f"2 of the 10 items of mine.jsonl stand in calibration.txt too, the first: {items[3][:60]}"),
    ):
        refuse_items(seen, "mine.jsonl", items)


def test_an_item_of_a_few_words_says_nothing_and_a_longer_one_counts_whole() -> None:
    seen = Text.of("seen", b"what is the time he asked. where does the old miller of this village live now she said")
    refuse_items(seen, "mine", ["What is the time?"])
    with pytest.raises(DataError, match="1 of the 1 items"):
        refuse_items(seen, "mine", ["Where does the old miller of this village live?"])


def test_what_all_items_share_is_their_template_and_no_leak() -> None:
    template = " ".join(_novel("template", 30))
    items = [f"{template} {' '.join(_novel(f'own {index}', 20))}" for index in range(8)]
    refuse_items(Text.of("seen", f"an app says {template} each time".encode()), "mine", items)


def test_no_items_are_no_leak() -> None:
    refuse_items(Text.of("seen", b"anything"), "mine", [])
