"""The demo model's skill generators: what they promise about answers, seeds and held-out content."""

from __future__ import annotations

import json
import random
import re

import pytest

from edgeshrink.evaluate.slices.words.holdout import held_out
from tools.demo.books import Library
from tools.demo.chat import ASSISTANT, END
from tools.demo.mixture import SHARES, draw
from tools.demo.samples import Sample, answer
from tools.demo.skills import recall, sums, tool_decision

LIBRARY = Library(tuple((language, f"A line of {language}.\n" * 400) for language in ("en", "de", "es", "fr", "it")))
SKILLS = sorted(set(SHARES) - {"book"})


def samples(kind: str, count: int = 200) -> list[Sample]:
    rng = random.Random(3)
    return [Sample.parse(draw(kind, rng, LIBRARY, 256)) for _ in range(count)]


def test_answers_are_where_the_marks_were() -> None:
    sample = Sample.parse(f"1+1={answer('2')}, 2+2={answer('4')}.")
    assert sample.text == "1+1=2, 2+2=4."
    assert [sample.text[begin:end] for begin, end in sample.answers] == ["2", "4"]


def test_at_least_half_of_the_tokens_are_skills() -> None:
    assert sum(SHARES.values()) == pytest.approx(1.0)
    assert SHARES["book"] <= 0.5


@pytest.mark.parametrize("kind", SKILLS)
def test_the_same_seed_makes_the_same_samples(kind: str) -> None:
    assert samples(kind, 20) == samples(kind, 20)


@pytest.mark.parametrize("kind", SKILLS)
def test_no_mark_is_left_in_a_sample(kind: str) -> None:
    assert all(sample.text == Sample.parse(sample.text).text for sample in samples(kind))


def test_training_sums_are_right_and_never_held_out() -> None:
    for sample in samples("sums"):
        for a, b in re.findall(r"(\d+)\+(\d+)", sample.text):
            assert not held_out("sum", *sorted((int(a), int(b))))
        for a, b, total in re.findall(r"(\d+)\+(\d+)=(\d+)\n", sample.text):
            assert int(a) + int(b) == int(total)


def test_tested_sums_are_right_and_held_out() -> None:
    rng = random.Random(4)
    for item in (sums.item(rng) for _ in range(200)):
        numbers = [int(number) for number in re.findall(r"\d+", item.prompt)]
        assert held_out("sum", *sorted(numbers))
        assert int(re.findall(r"\d+", item.expected)[0]) == sum(numbers)


def test_a_recalled_value_was_told_before_and_its_pair_is_held_out() -> None:
    rng = random.Random(5)
    for item in (recall.item(rng, LIBRARY) for _ in range(200)):
        told = re.search(r"(\w+) has the (\w+)\.", item.prompt)
        assert told and told[2] in item.expected
        assert held_out("pair", *told.groups())
        assert len(re.findall(rf"\b{told[1]} has the \w+\.", item.prompt)) == 1


def test_trained_pairs_are_not_held_out() -> None:
    pairs = [pair for sample in samples("recall") for pair in re.findall(r"(\w+) has the (\w+)\.", sample.text)]
    assert pairs
    assert not any(held_out("pair", *pair) for pair in pairs)


def test_a_tool_is_called_only_when_it_is_offered() -> None:
    for sample in samples("tools"):
        for reply in re.findall(rf"{re.escape(ASSISTANT)}(.*?){re.escape(END)}", sample.text):
            if reply.startswith("{"):
                call = json.loads(reply)
                assert set(call) == {"name", "arguments"}
                assert f'"name": "{call["name"]}", "description"' in sample.text


def test_a_near_miss_pair_asks_the_same_and_differs_in_the_offer() -> None:
    rng = random.Random(6)
    for _ in range(100):
        with_tool, without = tool_decision.near_miss_pair(rng)
        name = json.loads(with_tool.expected.removesuffix(END))["name"]
        assert with_tool.prompt.split(END)[1] == without.prompt.split(END)[1]
        assert name in with_tool.prompt.split(END)[0]
        assert name not in without.prompt.split(END)[0]
        assert not without.expected.startswith("{")
