"""Which documents are held out, which a limit takes, and in which order they come."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from edgeshrink.compress.corpus.division import LARGEST_HELD_OUT, PLACES, Division, Place
from edgeshrink.compress.corpus.known import known_documents
from edgeshrink.compress.corpus.mixing import interleaved, shuffled


def _places(count: int, seed: int = 0) -> list[Place]:
    return [Place.of(f"document {number}".encode(), seed) for number in range(count)]


def _divided(places: list[Place], nbytes: int = 100) -> Division:
    division = Division()
    for place in places:
        division.add(place, nbytes)
    return division


@pytest.mark.parametrize("wanted", [100, 5_000, 40_000])
def test_about_as_much_is_held_out_as_is_wanted(wanted: int) -> None:
    places = _places(5000)
    threshold = _divided(places).held_out_below(wanted)
    held = 100 * sum(place.held_out < threshold for place in places)
    assert wanted <= held <= wanted + 500


def test_of_little_text_only_a_part_is_held_out() -> None:
    places = _places(100)
    threshold = _divided(places).held_out_below(1e9)
    assert 15 <= sum(place.held_out < threshold for place in places) <= 100 * LARGEST_HELD_OUT


def test_of_three_documents_one_is_held_out_and_of_one_none() -> None:
    three = _places(3)
    threshold = _divided(three).held_out_below(1e9)
    assert sum(place.held_out < threshold for place in three) == 1
    assert _divided(_places(1)).held_out_below(1e9) == 0
    assert _divided(three).held_out_below(0) == 0


def test_the_seed_changes_what_is_drawn_and_not_what_is_held_out() -> None:
    one, other = _places(200, 1), _places(200, 2)
    assert [place.held_out for place in one] == [place.held_out for place in other]
    assert [place.drawn for place in one] != [place.drawn for place in other]


def test_a_limit_draws_enough_and_not_much_more_and_the_next_pass_goes_on() -> None:
    places = _places(4000)
    division = _divided(places)
    first = division.drawn_below(100_000)
    second = division.drawn_below(100_000, first)
    for start, end in ((0, first), (first, second)):
        assert 1000 <= sum(start <= place.drawn < end for place in places) <= 1010
    assert division.drawn_below(1e9) == PLACES


def test_streams_go_by_in_proportion_to_their_size() -> None:
    streams = [iter(["a"] * 100), iter(["b"] * 1000), iter([])]
    mixed = list(interleaved(streams, [100, 1000, 0], lambda _: 1.0))
    assert Counter(mixed) == {"a": 100, "b": 1000}
    assert all(abs(mixed[: 11 * part].count("a") - part) <= 1 for part in range(1, 100))


def test_a_shuffle_loses_nothing_and_its_buffer_is_bounded() -> None:
    taken: list[int] = []

    def entries() -> list[int]:
        return list(range(2000))

    def counted() -> object:
        for entry in entries():
            taken.append(entry)
            yield entry

    seen = []
    for entry in shuffled(counted(), lambda _: 10, 7, limit=1000):
        assert len(taken) - len(seen) <= 101
        seen.append(entry)
    assert sorted(seen) == entries() and seen != entries()
    assert seen == list(shuffled(entries(), lambda _: 10, 7, limit=1000))
    assert seen != list(shuffled(entries(), lambda _: 10, 8, limit=1000))


def test_a_document_is_known_once_it_was_there(tmp_path: Path) -> None:
    random = Random(3)
    digests = [random.randbytes(32) for _ in range(500)]
    file = tmp_path / "known.db"
    with known_documents(file) as known:
        assert all(known.add(digest) for digest in digests)
        assert not any(known.add(digest) for digest in digests)
        assert known.add(random.randbytes(32))
    assert not file.exists()
