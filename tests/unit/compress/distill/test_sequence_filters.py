"""What a teacher wrote, filtered: each filter alone against its definition, and all of them counted."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from edgeshrink.compress.corpus.documents import document_of
from edgeshrink.compress.distill.sequences.duplicates import Duplicates
from edgeshrink.compress.distill.sequences.finished import Finished
from edgeshrink.compress.distill.sequences.interface import Filter, Sample
from edgeshrink.compress.distill.sequences.length import Length
from edgeshrink.compress.distill.sequences.near_duplicates import FEWEST_WORDS, SHINGLE, NearDuplicates
from edgeshrink.compress.distill.sequences.perplexity import Perplexity
from edgeshrink.compress.distill.sequences.scored import Scored
from edgeshrink.compress.distill.sequences.sifting import Sifted, line_of, sample_of, sift


def sample(answer: str, prompt: str = "Which city?", **changed: Any) -> Sample:
    return Sample("1-1-1", ({"role": "user", "content": prompt},), (), "", answer, finished=True, **changed)


def kept(one: Filter, answers: Sequence[str]) -> list[bool]:
    return [one.keeps(sample(answer)) for answer in answers]


def test_only_whole_answers_are_learnt_from() -> None:
    whole = sample("Rome.")
    assert Finished().keeps(whole)
    assert not Finished().keeps(replace(whole, finished=False))
    assert not Finished().keeps(replace(whole, control=("<|tool_call|>",)))
    assert kept(Finished(), ["", " \n"]) == [False, False]


def test_length_is_counted_in_words() -> None:
    assert kept(Length(2, 3), ["Rome", "in Rome", "it  is\nRome", "it is in Rome"]) == [False, True, True, False]
    assert kept(Length(), ["Rome", "word " * 5000]) == [True, True]


def test_an_answer_is_right_where_its_prompt_says_what_is() -> None:
    asked: list[Sample] = []

    def right(one: Sample) -> bool:
        asked.append(one)
        return bool(one.answer == one.expected)

    free, wrong, good = (
        sample("x"),
        sample("x", scorer="exact", expected="y"),
        sample("y", scorer="exact", expected="y"),
    )
    assert [Scored(right).keeps(one) for one in (free, wrong, good)] == [True, False, True]
    assert asked == [wrong, good]


def test_the_same_answer_to_a_prompt_is_learnt_once() -> None:
    decomposed, composed = "Zu\u0308rich", "Z\u00fcrich"
    answers = [decomposed, f" {composed}\n", "Zürich!", "Bern", "Bern"]
    assert kept(Duplicates(), answers) == [True, False, True, True, False]
    one = Duplicates()
    assert one.keeps(sample("yes", "Is it?")) and one.keeps(sample("yes", "Was it?"))
    system = {"role": "system", "content": "Is it?"}
    chat = replace(sample("yes", "Is it?"), messages=(system, *sample("yes", "Is it?").messages))
    plain = Sample("1", (), (), "Is it?", "yes", finished=True)
    assert one.keeps(chat) and one.keeps(plain) and not one.keeps(chat) and not one.keeps(plain)


def _runs(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1)}


def test_near_duplicates_are_those_whose_shingles_resemble_a_kept_answers() -> None:
    random = Random(7)
    words = [f"w{number}" for number in range(400)]
    texts: list[str] = []
    for _ in range(30):
        texts.append(" ".join(random.choices(words, k=random.randint(30, 120))))
        for changes in (0, 1, 1, 2, 4, 9):
            own = texts[-1].split()
            for _ in range(changes):
                own[random.randrange(len(own))] = random.choice(words)
            texts.append(" ".join(own).upper() if changes == 0 else " ".join(own))
    expected, so_far, close = list[bool](), list[set[tuple[str, ...]]](), 0
    for text in texts:
        own_runs = _runs(text)
        nearest = max((len(own_runs & other) / len(own_runs | other) for other in so_far), default=0.0)
        close += 0.7 < nearest < 0.9
        expected.append(nearest < 0.8)
        if expected[-1]:
            so_far.append(own_runs)
    assert close > 10 and 50 < sum(expected) < 175
    assert kept(NearDuplicates(), texts) == expected


def test_short_answers_are_alike_without_being_copies() -> None:
    short = " ".join(["same"] * (FEWEST_WORDS - 1))
    assert kept(NearDuplicates(), [short, short]) == [True, True]
    assert kept(NearDuplicates(), [f"{short} same", f"{short} same"]) == [True, False]


def test_perplexity_is_that_of_a_token() -> None:
    at = -3 * math.log(5.0)
    values = [(at * 0.999, 3), (at * 1.001, 3), (at, 4), (None, 0), (0.0, 0)]
    found = [Perplexity(5.0).keeps(sample("x", logprob=logprob, tokens=tokens)) for logprob, tokens in values]
    assert found == [True, False, True, False, False]


def test_a_sample_falls_at_the_first_filter_and_all_are_counted() -> None:
    counts = Sifted()
    filters = (Finished(), Length(2), Duplicates())
    answers = ["", "short", "two words", "two words", "two other", "two  words"]
    found = [one.answer for one in sift(map(sample, answers), filters, counts)]
    assert found == ["two words", "two other"]
    assert {name: count for name, (count, _) in counts.dropped.items()} == {"finished": 1, "length": 1, "duplicates": 2}
    assert (counts.samples, counts.kept) == (6, 2)
    assert counts.note == (
        "2 of 6 answers of the teacher are learnt from; dropped: 1 cut off, empty or with control tokens inside,"
        " 1 too short or too long, 2 the same as another answer to that prompt"
    )
    assert Sifted.of(json.loads(json.dumps(counts.as_json()))) == counts


TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}
SYSTEM = {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize(
    "one",
    [
        sample("Röm\n"),
        Sample("2-1-1", (), (), "The city is", " Rome", finished=True),
        Sample("3-1-1", (SYSTEM, {"role": "user", "content": "Where?"}), (), "", "Rome", finished=True),
        Sample("4-1-1", ({"role": "user", "content": "Rain?"},), (TOOL,), "", "Yes", finished=True),
    ],
)
def test_lines_are_records_that_a_corpus_reads_and_read_back(one: Sample) -> None:
    record = json.loads(line_of(one))
    assert sample_of(record) == one
    document = document_of(record, "here")
    assert document is not None
    if one.messages:
        said = [dict(message) for message in document.messages]
        assert said == [*one.messages, {"role": "assistant", "content": one.answer}]
        assert document.tools == one.tools and document.turn == (len(said) == 2 and not one.tools)
    else:
        assert document.text == one.text + one.answer and document.answer_at == len(one.text)
