"""Evaluation text becomes windows as in llama.cpp's perplexity tool."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from built_gguf import Builder

from edgeshrink.catalog.texts import Text
from edgeshrink.errors import DataError
from edgeshrink.evaluate.windows import batch_for, cut_round, cut_windows
from edgeshrink.runtimes import llama_cpp


@pytest.fixture(scope="module")
def vocabulary(built: Builder) -> Iterator[Any]:
    with llama_cpp.load(built("F32").path, context=64, threads=1, vocab_only=True) as session:
        yield session


def test_windows_follow_each_other_and_begin_with_bos(vocabulary: Any, story_text: Text) -> None:
    ids = vocabulary.tokenize(story_text.text, add_special=True, parse_special=True)
    windows = cut_windows(vocabulary, story_text.text, context=128, weights=1000)
    assert len(windows.ids) == len(ids) // 128
    for index, window in enumerate(windows.ids):
        assert window[0] == vocabulary.bos_id
        assert list(window[1:]) == ids[index * 128 + 1 : (index + 1) * 128]


def test_the_second_half_is_scored_but_for_the_last_position(vocabulary: Any, story_text: Text) -> None:
    windows = cut_windows(vocabulary, story_text.text, context=128, weights=1000)
    assert (windows.size, windows.first, windows.scored_each) == (128, 64, 63)
    assert windows.scored == 63 * len(windows.ids)


def test_a_longer_context_does_not_make_longer_windows(vocabulary: Any, story_text: Text) -> None:
    assert cut_windows(vocabulary, story_text.text, context=4096, weights=1000).size == 512


@pytest.mark.parametrize(("weights", "count"), [(10**6, 6), (3 * 10**9, 3), (10**12, 1)])
def test_a_larger_model_is_asked_about_fewer_windows(
    vocabulary: Any, story_text: Text, weights: int, count: int
) -> None:
    windows = cut_windows(vocabulary, story_text.text * 4, context=512, weights=weights, max_tokens=3072)
    assert len(windows.ids) == count


def test_a_text_without_a_whole_window_is_refused_with_the_counts(vocabulary: Any) -> None:
    with pytest.raises(DataError, match=r"has \d+ tokens, fewer than one window of 512"):
        cut_windows(vocabulary, "Once upon a time.", context=512, weights=1)


def test_a_large_vocabulary_is_run_in_smaller_batches() -> None:
    assert batch_for(4096, 512) == 512
    assert batch_for(151936, 512) * 4 * 151936 <= 64 << 20


@pytest.mark.parametrize(("context", "tokens", "size"), [(256, 4096, 256), (4096, 1024, 512), (4096, 8192, None)])
def test_a_suites_windows_are_long_where_text_and_round_give_enough_of_them(
    vocabulary: Any, story_text: Text, context: int, tokens: int, size: int | None
) -> None:
    text = (story_text.text * 8)[: 4 * 12_000]
    windows, whole = cut_round(vocabulary, text, context=context, tokens=tokens, round=0)
    assert windows is not None and windows.first == 16
    assert windows.size == (size or min(whole // 8, tokens // 4, 4096)) and windows.size >= min(context, 512)
    assert len(windows.ids) == min(tokens // windows.size, whole // windows.size)


def test_rounds_take_as_many_windows_as_all_before_them(vocabulary: Any, story_text: Text) -> None:
    found = [
        cut_round(vocabulary, story_text.text * 4, context=128, tokens=300, round=number)[0] for number in range(4)
    ]
    assert [0 if windows is None else len(windows.ids) for windows in found] == [2, 2, 4, 8]
    ids = [window for windows in found if windows is not None for window in windows.ids]
    assert ids == list(cut_windows(vocabulary, story_text.text * 4, context=128, weights=1).ids[:16])
