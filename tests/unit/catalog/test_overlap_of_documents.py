"""Data of any size is looked through document by document, and what stands in it is named by file and passage."""

from __future__ import annotations

import re
from random import Random

import pytest

from edgeshrink.catalog.overlap import WORDS, Items, Watch
from edgeshrink.catalog.texts import Text
from edgeshrink.errors import DataError


def _novel(seed: str, count: int) -> list[str]:
    random = Random(seed)
    return [f"w{random.randrange(10**9)}" for _ in range(count)]


def _text(name: str, words: list[str]) -> Text:
    return Text.of(name, " ".join(words).encode())


def test_runs_are_added_up_over_the_documents_of_a_file() -> None:
    asked = _novel("asked", 600)
    watch = Watch([_text("exam.txt", asked)])
    for place in range(0, 100, 20):
        watch.see("data.jsonl", " ".join([*_novel(f"before {place}", 500), *asked[place : place + 20]]))
    common = 5 * (20 - WORDS + 1)
    first = re.escape(" ".join(asked[:WORDS]))
    with pytest.raises(
        DataError, match=f"data.jsonl holds {common} of the 588 runs of 13 words of exam.txt, the first: {first}: what"
    ):
        watch.refuse()


def test_a_run_does_not_go_from_one_document_into_the_next() -> None:
    asked = _novel("asked", 40)
    watch = Watch([_text("exam.txt", asked)])
    for place in range(0, 40, WORDS - 1):
        watch.see("data.jsonl", " ".join(asked[place : place + WORDS - 1]))
    watch.refuse()


def test_the_file_that_holds_it_is_named_and_no_other() -> None:
    asked = _novel("asked", 200)
    watch = Watch([_text("exam.txt", asked)])
    watch.see("clean.txt", " ".join(_novel("clean", 3000)))
    watch.see("leak.txt", " ".join(asked))
    with pytest.raises(DataError, match=r"^leak\.txt holds 188 of the 188"):
        watch.refuse()


def test_what_is_spread_thinly_over_many_files_is_found_all_the_same() -> None:
    asked = _novel("asked", 1300)
    watch = Watch([_text("exam.txt", asked)])
    for place in range(10):
        words = _novel(f"file {place}", 2000)
        watch.see(f"part-{place}.txt", " ".join([*words, *asked[place * 100 : place * 100 + 17]]))
    with pytest.raises(DataError, match=r"^part-0\.txt, part-1\.txt, part-2\.txt holds 50 of the 1288"):
        watch.refuse()


def test_items_are_found_in_any_document() -> None:
    items = tuple(" ".join(_novel(f"item {index}", 20)) for index in range(30))
    watch = Watch((), [Items("mine.jsonl", items)])
    for index in range(200):
        watch.see("data.jsonl", " ".join(_novel(f"document {index}", 50)))
    watch.refuse()
    watch.see("data.jsonl", f"somebody asked: {items[7].upper()}!")
    with pytest.raises(
        DataError, match=f"1 of the 30 items of mine.jsonl stand in data.jsonl too, the first: {items[7][:40]}"
    ):
        watch.refuse()


def test_every_run_of_a_long_document_is_looked_at() -> None:
    words = _novel("long", 70_000)
    for place in (0, 65_530, 65_536, 70_000 - WORDS):
        watch = Watch([_text("exam.txt", words[place : place + WORDS])])
        watch.see("data.txt", " ".join(words))
        with pytest.raises(DataError, match="holds 1 of the 1 runs"):
            watch.refuse()


def test_nothing_asked_is_never_found() -> None:
    watch = Watch()
    watch.see("data.txt", "some words that go by")
    watch.refuse()
