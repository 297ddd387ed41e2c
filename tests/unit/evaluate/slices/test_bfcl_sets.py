"""BFCL's published files through the whole family: a scripted oracle is always right, each planted error is caught."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from edgeshrink.errors import DataError
from edgeshrink.evaluate.probes import TEMPERATURES, Answer, Refused, Said
from edgeshrink.evaluate.slices import bfcl
from edgeshrink.evaluate.slices.interface import Item, Settings

SIMPLE, IRRELEVANCE = "BFCL_v4_simple_python.json", "BFCL_v4_irrelevance.json"
Arguments = dict[str, Any]


def said(text: str) -> Said:
    return Said(text, 9, "stop token", (), (0.0,) * len(TEMPERATURES))


def settings(folder: Path, *files: str, **changes: Any) -> Settings:
    return Settings(**{"chat": True, "context": 4096, "characters_per_token": 4.0, "options": {"files": list(files)},
                       "folder": folder, "seed": 7, **changes})  # fmt: skip


@pytest.fixture(scope="module")
def simple(shared_data: Path) -> list[Item]:
    return list(bfcl.items(settings(shared_data / "text" / "bfcl", SIMPLE), Random(), 1000))


@pytest.fixture(scope="module")
def irrelevance(shared_data: Path) -> list[Item]:
    return list(bfcl.items(settings(shared_data / "text" / "bfcl", IRRELEVANCE), Random(), 1000))


def right_call(item: Item) -> tuple[str, Arguments]:
    """Made here from the file's own words, not from the family's."""
    ((name, taken),) = item.facts["wanted"][0].items()

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: values[0] for key, values in value.items()}
        return [plain(one) for one in value] if isinstance(value, list) else value

    given = {key: next((one for one in values if one != ""), None) for key, values in taken.items()}
    return name, {key: plain(value) for key, value in given.items() if value is not None}


def spelled(name: str, arguments: Arguments) -> str:
    return json.dumps({"name": name, "arguments": arguments})


def faults(items: list[Item], answer: Callable[[str, Arguments, Item], str | None]) -> list[str | None]:
    answers = [(item, answer(*right_call(item), item)) for item in items]
    return [bfcl.fault(item, said(text)) for item, text in answers if text is not None]


def test_right_answers_score_all_of_simple_python(simple: list[Item]) -> None:
    assert len(simple) == 400
    assert faults(simple, lambda name, arguments, _: spelled(name, arguments)) == [None] * 400
    assert (
        faults(simple, lambda name, arguments, _: f"<tool_call>{spelled(name, arguments)}</tool_call>") == [None] * 400
    )
    assert [bfcl.fault(item, said(item.facts["oracle"][0])) for item in simple] == [None] * 400


def test_right_answers_in_python_score_all_of_simple_python(simple: list[Item]) -> None:
    def written(name: str, arguments: Arguments, _: Item) -> str:
        return f"[{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})]"

    assert faults(simple, written) == [None] * 400


def required(item: Item) -> list[str]:
    return list(item.facts["functions"][0]["parameters"]["required"])


def kind_of(item: Item, argument: str) -> str:
    return str(item.facts["functions"][0]["parameters"]["properties"][argument]["type"])


def without_first(name: str, arguments: Arguments, item: Item) -> str | None:
    first = required(item)[:1]
    return spelled(name, {key: value for key, value in arguments.items() if key not in first}) if first else None


def of_another_type(name: str, arguments: Arguments, item: Item) -> str:
    first = next(iter(arguments))
    wrong: Any = 12345 if kind_of(item, first) in ("string", "any", "array", "dict", "tuple", "boolean") else "a word"
    return spelled(name, {**arguments, first: wrong})


def of_another_value(name: str, arguments: Arguments, item: Item) -> str | None:
    first = next(iter(arguments))
    value = arguments[first]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return spelled(name, {**arguments, first: f"{value} or so" if isinstance(value, str) else value + 1000})


@pytest.mark.parametrize(
    ("planted", "begins", "at_least"),
    [
        (lambda name, arguments, _: spelled(f"{name}_", arguments), "wrong function", 400),
        (without_first, "missing required argument", 390),
        (lambda name, arguments, _: spelled(name, {**arguments, "zzz": 1}), "unexpected argument", 400),
        (of_another_type, "wrong type", 400),
        (of_another_value, "wrong value", 300),
        (lambda *_: "I think you can work that out by yourself.", "no call", 400),
        (lambda name, arguments, _: spelled(name, arguments)[:-1], "no call", 400),
        (lambda name, arguments, _: f"{spelled(name, arguments)}\n{spelled(name, arguments)}", "wrong number", 400),
    ],
)
def test_each_planted_error_is_caught(
    simple: list[Item], planted: Callable[[str, Arguments, Item], str | None], begins: str, at_least: int
) -> None:
    found = faults(simple, planted)
    assert len(found) >= at_least
    assert {str(fault).startswith(begins) for fault in found} == {True}


def test_where_no_tool_helps_a_call_is_wrong_and_words_are_right(irrelevance: list[Item]) -> None:
    assert len(irrelevance) == 240
    for item in irrelevance:
        name = item.facts["functions"][0]["name"]
        assert bfcl.fault(item, said("None of these can do that.")) is None
        assert bfcl.fault(item, said(spelled(name, {}))) == "a call where none is due"
        assert bfcl.fault(item, said(spelled(name, {})[:-2])) is None, "the leaderboard takes broken calls for words"


def test_scores_pair_both_answers_and_skip_what_the_reference_could_not_be_asked(simple: list[Item]) -> None:
    item = simple[0]
    right: Answer = said(item.facts["oracle"][0])
    (score,) = bfcl.score(item, (right,), (said("no"),))
    assert (score.slice, score.values["right"]) == ("bfcl/simple_python", (1.0, 0.0))
    (refused,) = bfcl.score(item, (right,), (Refused("too long"),))
    assert refused.values["right"] == (1.0, 0.0)
    assert list(bfcl.score(item, (Refused("too long"),), (right,))) == []


def test_rounds_go_on_where_earlier_ones_stopped_and_seeds_change_the_order(shared_data: Path) -> None:
    folder = shared_data / "text" / "bfcl"

    def ids(before: int, count: int, seed: int = 7) -> list[str]:
        asked = settings(folder, SIMPLE, IRRELEVANCE, before=before, seed=seed)
        return [item.id for item in bfcl.items(asked, Random(), count)]

    first, second, rest = ids(0, 40), ids(40, 40), ids(600, 400)
    assert first + second == ids(0, 80)
    assert len({*first, *second, *rest}) == 120 and len(rest) == 40, "there are 640 questions in all"
    assert {name.rpartition("_")[0] for name in first} == {"simple_python", "irrelevance"}
    assert ids(0, 40, seed=8) != first == ids(0, 40)


def test_the_offer_is_what_the_file_offers(simple: list[Item]) -> None:
    item = next(one for one in simple if one.id == "simple_python_0")
    prompt = item.probes[0].prompt
    assert prompt.messages[0]["content"].startswith("Find the area of a triangle")
    assert prompt.tools[0]["function"]["parameters"]["properties"]["base"] == {
        "type": "integer",
        "description": "The base of the triangle.",
    }


def test_slices_are_named_for_the_files(shared_data: Path) -> None:
    asked = settings(shared_data / "text" / "bfcl", SIMPLE, IRRELEVANCE)
    assert [(one.name, one.chance) for one in bfcl.slices(asked)] == [
        ("bfcl/simple_python", 0.0),
        ("bfcl/irrelevance", 0.5),
    ]
    assert bfcl.slices(settings(shared_data, chat=False)) == ()


QUESTION = {
    "id": "q_0",
    "question": [[{"role": "user", "content": "Go!"}]],
    "function": [{"name": "go", "parameters": {}}],
}
ANSWER = {"id": "q_0", "ground_truth": [{"go": {"where": ["home"]}}]}


@pytest.mark.parametrize(
    ("name", "question", "answer", "message"),
    [
        ("BFCL_v4_simple_java.json", QUESTION, ANSWER, "simple_java is not a set of one turn in Python"),
        ("BFCL_v4_multi_turn_base.json", QUESTION, ANSWER, "multi_turn_base is not a set of one turn"),
        ("BFCL_v4_a.json", [1], ANSWER, "line 1: no JSON object"),
        ("BFCL_v4_a.json", {"id": "q_0"}, ANSWER, "line 1: no question of BFCL: KeyError"),
        ("BFCL_v4_a.json", {**QUESTION, "question": [[], []]}, ANSWER, "no question of BFCL: ValueError"),
        ("BFCL_v4_a.json", {**QUESTION, "function": []}, ANSWER, "no functions"),
        ("BFCL_v4_a.json", {**QUESTION, "function": [{"name": "go", "parameters": []}]}, ANSWER, "without a name"),
        ("BFCL_v4_a.json", QUESTION, {**ANSWER, "id": "q_1"}, "no answer to q_0"),
        ("BFCL_v4_a.json", QUESTION, {"id": "q_0", "ground_truth": [{"go": {"where": "home"}}]}, "ground_truth is no"),
        ("BFCL_v4_a.json", QUESTION, {"id": "q_0"}, "ground_truth is no list"),
        ("BFCL_v4_a.json", QUESTION, None, "there is no such file"),
    ],
)
def test_files_that_are_no_bfcl_are_refused(
    tmp_path: Path, name: str, question: Any, answer: Any, message: str
) -> None:
    (tmp_path / name).write_text(json.dumps(question))
    if answer is not None:
        (tmp_path / "possible_answer").mkdir()
        (tmp_path / "possible_answer" / name).write_text(json.dumps(answer))
    with pytest.raises(DataError, match=message):
        list(bfcl.items(settings(tmp_path, name), Random(), 5))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="BFCL_v4_simple_python"):
        bfcl.slices(settings(tmp_path, SIMPLE))
