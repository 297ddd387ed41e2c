"""A person's own items: which lines are taken, which are refused by number, how they are asked and judged."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from random import Random
from typing import Any

import pytest

from edgeshrink.errors import DataError
from edgeshrink.evaluate.own_items import own_table
from edgeshrink.evaluate.probes import TEMPERATURES, Answer, Choose, Chosen, Generate, Refused, Said
from edgeshrink.evaluate.slices import own
from edgeshrink.evaluate.slices.interface import Item, Settings


def _file(folder: Path, *lines: Any, name: str = "mine.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n", encoding="utf-8")
    return path


def _settings(*tables: dict[str, Any], chat: bool = True, seed: int = 1, before: int = 0) -> Settings:
    return Settings(chat, 512, 3.5, options={"files": list(tables)}, seed=seed, before=before)


def _items(settings: Settings, count: int = 1000) -> list[Item]:
    return list(own.items(settings, Random(0), count))


def _said(text: str) -> Said:
    return Said(text, 3, "stop token", (), (-0.1,) * len(TEMPERATURES))


def _values(item: Item, reference: Answer, candidate: Answer) -> list[Any]:
    return [dict(score.values) for score in own.score(item, [reference], [candidate])]


def test_a_chat_a_turn_and_plain_text_are_asked_as_they_are_meant(tmp_path: Path) -> None:
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Which city?"}]
    file = _file(
        tmp_path,
        {"messages": [*chat, {"role": "assistant", "content": "Rome"}]},
        {"prompt": "Which city?", "expected": "Rome", "tools": [{"function": {"name": "f"}}]},
        {"text": "The city is", "expected": "Rome", "max_tokens": 5},
    )
    table = own_table(file, name="mine")
    asked = {item.id: item.probes[0] for item in _items(_settings(table))}
    assert asked["mine-1"].prompt.messages == tuple(chat)
    assert asked["mine-2"].prompt.messages == ({"role": "user", "content": "Which city?"},)
    assert asked["mine-2"].prompt.tools == ({"function": {"name": "f"}},)
    third = asked["mine-3"]
    assert isinstance(third, Generate)
    assert (third.prompt.text, third.prompt.messages, third.max_tokens, third.stop) == ("The city is", (), 5, ("\n",))
    plain = {item.id: item.probes[0].prompt for item in _items(_settings(table, chat=False))}
    assert {key: prompt.text for key, prompt in plain.items()} == {"mine-2": "Which city?", "mine-3": "The city is"}


def test_a_schema_is_what_an_answer_must_fit(tmp_path: Path) -> None:
    schema = {"type": "object", "required": ["city"]}
    (item,) = _items(_settings(own_table(_file(tmp_path, {"prompt": "Where?", "schema": schema}), name="mine")))
    assert _values(item, _said('{"city": "Rome"}'), _said("Rome")) == [{"right": (1.0, 0.0)}]


def test_the_table_knows_the_files_digest_lines_and_what_guessing_scores(tmp_path: Path) -> None:
    file = _file(
        tmp_path,
        {"prompt": "a", "choices": ["x", "y"], "expected": "x"},
        {"prompt": "b", "choices": ["x", "y", "z", "w"], "expected": 2},
        {"prompt": "c", "expected": "x"},
    )
    table = own_table(file, name="mine")
    assert table["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (table["lines"], table["chats"], table["chance"]) == (3, 0, pytest.approx((1 / 2 + 1 / 4) / 3))
    facts = own.slices(_settings(table))
    assert [(one.name, one.chance, one.metrics[0].name) for one in facts] == [("own/mine", table["chance"], "right")]


def test_the_most_probable_choice_is_the_answer_and_plain_text_is_continued_by_a_word(tmp_path: Path) -> None:
    file = _file(tmp_path, {"text": "37+45 is", "choices": ["81", "82"], "expected": 1})
    (item,) = _items(_settings(own_table(file, name="mine")))
    probe = item.probes[0]
    assert isinstance(probe, Choose) and probe.options == (" 81", " 82")
    right, wrong = Chosen((-3.0, -1.0), (1, 1)), Chosen((-1.0, -3.0), (1, 1))
    (score,) = own.score(item, [right], [wrong])
    assert dict(score.values) == {"right": (1.0, 0.0)}
    assert (score.shown.expected, score.shown.reference, score.shown.candidate) == ("82", "82", "81")
    assert score.answered is not None and [one.right for one in score.answered] == [True, False]


def test_answers_are_judged_by_the_lines_scorer_and_counted_in_its_parts(tmp_path: Path) -> None:
    file = _file(tmp_path, {"prompt": "p", "expected": "Rome", "scorer": "contains", "part": ["geo", "easy"]})
    (item,) = _items(_settings(own_table(file, name="mine")))
    (score,) = own.score(item, [_said("It is Rome.")], [_said("\x1b[31mParis")])
    assert (dict(score.values), score.parts) == ({"right": (1.0, 0.0)}, ("geo", "easy"))
    assert _values(item, _said("Rome"), Refused("too long")) == [{"right": (1.0, 0.0)}]
    assert _values(item, Refused("no template"), _said("Rome")) == []
    assert _values(item, _said("<think>Rome</think>Rome"), _said("<think>Rome")) == [{"right": (1.0, 0.0)}]


def test_a_choice_per_character_is_as_sure_as_that_comparison(tmp_path: Path) -> None:
    file = _file(tmp_path, {"text": "p", "choices": ["ab", "abcdefgh"], "expected": "abcdefgh"})
    (item,) = _items(_settings(own_table(file, name="mine", per="character")))
    chosen = Chosen((-2.0, -4.0), (1, 4))
    (score,) = own.score(item, [chosen], [chosen])
    assert score.answered is not None and score.answered[0].right
    expected = -math.log(1 + math.exp(-2 / 2 + 4 / 8))
    assert score.answered[0].confidence[TEMPERATURES.index(1.0)] == pytest.approx(expected)


def test_rounds_take_each_line_once_in_an_order_that_the_seed_makes(tmp_path: Path) -> None:
    one = own_table(
        _file(tmp_path, *({"prompt": f"a{n}", "expected": "x"} for n in range(7)), name="a.jsonl"), name="a"
    )
    two = own_table(
        _file(tmp_path, *({"prompt": f"b{n}", "expected": "x"} for n in range(3)), name="b.jsonl"), name="b"
    )
    rounds = [_items(_settings(one, two, before=before), 4) for before in (0, 4, 8, 12)]
    asked = [[item.id for item in items] for items in rounds]
    assert [len(ids) for ids in asked] == [4, 4, 2, 0]
    together = [item for ids in asked for item in ids]
    assert sorted(together) == sorted([f"a-{n}" for n in range(1, 8)] + [f"b-{n}" for n in range(1, 4)])
    assert [item.partition("-")[0] for item in together[:6]] == ["a", "b"] * 3
    assert [item.id for item in _items(_settings(one, two, seed=2), 10)] != together


def test_chats_are_not_asked_of_a_model_without_a_template(tmp_path: Path) -> None:
    file = _file(tmp_path, {"messages": [{"role": "user", "content": "hi"}], "expected": "hello"})
    settings = _settings(own_table(file, name="mine"), chat=False)
    assert own.slices(settings) == () and _items(settings) == []
    assert "no chat template" in own.why_not(settings)
    assert "names no file" in own.why_not(Settings(True, 512, 3.5))


def test_points_of_a_function_are_a_mean_with_rights_beside_it(tmp_path: Path) -> None:
    (tmp_path / "points.py").write_text("def rate(said, expected):\n    return len(said) / 10\n", encoding="utf-8")
    file = _file(tmp_path, {"prompt": "p", "expected": {"any": "thing"}})
    table = own_table(file, name="mine", scorer="points:rate", graded=True)
    settings = _settings(table)
    (facts,) = own.slices(settings)
    assert [(metric.name, metric.kind) for metric in facts.metrics] == [("score", "mean"), ("right", "share")]
    (item,) = _items(settings)
    assert _values(item, _said("x" * 7), _said("x" * 2)) == [{"score": (0.7, 0.2), "right": (1.0, 0.0)}]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not JSON"),
        ("[1]", "expected a JSON object"),
        ('{"prompt": "p"}', "no expected answer"),
        ('{"expected": "x"}', "expected one of messages, prompt and text"),
        ('{"prompt": "p", "text": "t", "expected": "x"}', "expected one of messages, prompt and text"),
        ('{"messages": [{"role": "robot", "content": "p"}], "expected": "x"}', "messages is"),
        ('{"messages": "p", "expected": "x"}', "messages is"),
        ('{"prompt": "p", "expected": "x", "scorer": "fuzzy"}', "there is no scorer 'fuzzy'"),
        ('{"prompt": "p", "expected": "x", "scorer": "os:system"}', "a line of items cannot name code"),
        ('{"prompt": "p", "expected": "(", "scorer": "regex"}', "regex: .* is no regular expression"),
        ('{"prompt": "p", "expected": "c", "choices": ["a", "b"]}', "one of them the expected answer"),
        ('{"prompt": "p", "expected": 5, "choices": ["a", "b"]}', "one of them the expected answer"),
        ('{"prompt": "p", "expected": "x", "max_tokens": "many"}', "max_tokens is 'many'"),
        ('{"prompt": "p", "expected": "x", "stop": [1]}', "stop is"),
        ('{"prompt": "p", "expected": "x", "tools": ["f"]}', "tools is"),
        ('{"prompt": "p", "expected": "x", "tools": [{"type": "function", "function": {}}]}', "tools is"),
        ("[" * 5000, "not JSON"),
    ],
)
def test_a_wrong_line_is_named_by_file_and_number(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"prompt": "p", "expected": "x"}\n\n' + line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"mine\.jsonl, line 3: .*{words}"):
        own_table(path, name="mine")


def test_a_file_of_nothing_and_a_line_without_end_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n \n", encoding="utf-8")
    with pytest.raises(DataError, match="has no items"):
        own_table(empty, name="empty")
    endless = tmp_path / "endless.jsonl"
    endless.write_text("x" * (1 << 21), encoding="utf-8")
    with pytest.raises(DataError, match="line 1: longer than 1048576 bytes"):
        own_table(endless, name="endless")
    with pytest.raises(DataError, match="cannot read"):
        own_table(tmp_path / "absent.jsonl", name="absent")
