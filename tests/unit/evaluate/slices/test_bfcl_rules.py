"""The rules by hand: each case says what the leaderboard's own checker says of it."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from edgeshrink.evaluate.slices.bfcl_rules import judge_calls, tool_of
from edgeshrink.evaluate.slices.call_spellings import Call

PROPERTIES: dict[str, Any] = {
    "city": {"type": "string"},
    "days": {"type": "integer"},
    "share": {"type": "float"},
    "fast": {"type": "boolean"},
    "names": {"type": "array", "items": {"type": "string"}},
    "sizes": {"type": "array", "items": {"type": "float"}},
    "place": {"type": "tuple", "items": {"type": "float"}},
    "filter": {"type": "dict", "properties": {"key": {"type": "string"}, "least": {"type": "integer"}}},
    "filters": {"type": "array", "items": {"type": "dict", "properties": {"key": {"type": "string"}}}},
    "data": {"type": "any"},
}
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "dict", "properties": PROPERTIES, "required": []}}


def judged(argument: str, taken: list[Any], value: Any) -> str | None:
    return judge_calls([FUNCTION], [{"f": {argument: taken}}], [Call("f", {argument: value})])


@pytest.mark.parametrize(
    ("argument", "taken", "value"),
    [
        ("city", ["New York", "NYC"], "new-york"),
        ("city", ["New York, USA"], "New York USA"),
        ("city", ["Rock 'n' Roll"], 'rock "n" roll'),
        ("days", [3], 3),
        ("share", [2.0], 2),
        ("share", [0.5], 0.5),
        ("fast", [True], True),
        ("names", [["Santa Barbara", "Monterey"], ["Monterey", "Santa Barbara"]], ["monterey", "santa_barbara"]),
        ("names", ["", ["a"]], []),
        ("sizes", [[1.0, 2.5]], [1.0, 2.5]),
        ("sizes", [[1, 2]], [1, 2]),
        ("place", [[33.4, -112.0]], [33.4, -112.0]),
        ("filter", [{"key": ["Age", "years"], "least": [18, ""]}], {"key": "age"}),
        ("filter", [{"key": ["Age"], "least": [18, ""]}], {"key": "Age", "least": 18}),
        ("filters", [[{"key": ["a"]}, {"key": ["b"]}]], [{"key": "A"}, {"key": "B"}]),
        ("data", ["my_data"], "my_data"),
        ("days", ["n"], "n"),
    ],
)
def test_a_value_is_taken(argument: str, taken: list[Any], value: Any) -> None:
    assert judged(argument, taken, value) is None


@pytest.mark.parametrize(
    ("argument", "taken", "value", "fault"),
    [
        ("city", ["New York"], "New Work", "wrong value"),
        ("city", ["5"], 5, "wrong type"),
        ("days", [3], 4, "wrong value"),
        ("days", [3], 3.0, "wrong type"),
        ("days", [3], "3", "wrong type"),
        ("days", [1], True, "wrong type"),
        ("days", ["n"], 3, "wrong value"),
        ("share", [2.0], True, "wrong type"),
        ("share", [2.0], 2.1, "wrong value"),
        ("fast", [True], "True", "wrong type"),
        ("fast", [True], 1, "wrong type"),
        ("fast", [True], False, "wrong value"),
        ("names", [["a", "b"]], ["b", "a"], "wrong value"),
        ("names", [["a", "b"]], ["a", 1], "wrong type"),
        ("names", [["a", "b"]], "a, b", "wrong type"),
        ("names", [["a"]], [], "wrong value"),
        ("sizes", [[1.0, 2.0]], [1, 2], "wrong type"),  # a whole number passes for a float only outside of lists
        ("filter", [{"key": ["a"]}], {"key": "b"}, "wrong value"),
        ("filter", [{"key": ["a"], "least": [1]}], {"key": "a"}, "wrong value"),
        ("filter", [{"key": ["a"]}], {"key": "a", "more": 1}, "wrong value"),
        ("filter", [{"key": ["a"]}], ["a"], "wrong type"),
        ("filters", [[{"key": ["a"]}]], [{"key": "a"}, {"key": "a"}], "wrong value"),
        ("data", ["my_data"], None, "wrong type"),
    ],
)
def test_a_value_is_refused(argument: str, taken: list[Any], value: Any, fault: str) -> None:
    assert judged(argument, taken, value) == f"{fault}: {argument}"


def test_arguments_must_be_there_and_no_others() -> None:
    function = {"name": "f", "parameters": {"properties": PROPERTIES, "required": ["city"]}}
    wanted = [{"f": {"city": ["Rome"], "days": [1, ""], "share": [0.5]}}]

    def found(**arguments: Any) -> str | None:
        return judge_calls([function], wanted, [Call("f", arguments)])

    assert found(city="Rome", share=0.5) is None
    assert found(city="Rome", share=0.5, days=1) is None
    assert found(share=0.5) == "missing required argument: city"
    assert found(city="Rome") == "missing argument: share"
    assert found(city="Rome", share=0.5, fast=True) == "unexpected argument: fast"
    assert found(city="Rome", share=0.5, colour="red") == "unexpected argument: colour"


def test_several_calls_are_right_in_any_order_each_once() -> None:
    wanted = [{"f": {"days": [1]}}, {"f": {"days": [2]}}, {"f": {"days": [1]}}]
    one, two = Call("f", {"days": 1}), Call("f", {"days": 2})
    assert judge_calls([FUNCTION], wanted, [one, one, two]) is None
    assert judge_calls([FUNCTION], wanted, [two, one, two]) == "wrong value: days"
    assert judge_calls([FUNCTION], wanted, [one, two]) == "wrong number of calls: 2 for 3"
    assert judge_calls([FUNCTION], [{"f": {}}], [Call("g", {})]) == "wrong function: g"


def test_types_are_offered_in_the_words_of_json_schema() -> None:
    schema = tool_of(FUNCTION)["function"]["parameters"]
    jsonschema.Draft202012Validator.check_schema(schema)
    kinds = {name: one["type"] for name, one in schema["properties"].items()}
    assert kinds["share"] == "number" and kinds["place"] == "array" and kinds["data"] == "string"
    assert schema["properties"]["filters"]["items"]["type"] == "object"
    assert FUNCTION["parameters"]["type"] == "dict", "the file's own words are left as they are"
