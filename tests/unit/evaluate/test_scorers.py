"""Scorers by name: what is right, what is wrong, and what never ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeshrink.errors import DataError
from edgeshrink.evaluate.probes import Chosen
from edgeshrink.evaluate.scorers import bounded
from edgeshrink.evaluate.scorers.bounded import MOST_ENDLESS, Bounded
from edgeshrink.evaluate.scorers.choice import preferred
from edgeshrink.evaluate.scorers.registry import SCORERS, kind_of, scorer

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module", autouse=True)
def worker() -> Iterator[None]:
    yield
    bounded.shared.close()


@pytest.mark.parametrize(
    ("name", "said", "expected", "right"),
    [
        ("exact", " Rome\n", "Rome", True),
        ("exact", "Rome.", "Rome", False),
        ("exact", "rome", "Rome", False),
        ("exact", "Cafe\u0301  au lait", "Café au lait", True),
        ("exact", "Roma", ["Rome", "Roma"], True),
        ("exact", "", "Rome", False),
        ("contains", "It is rome, of course.", "Rome", True),
        ("contains", "in Romeville", "Rome", False),
        ("contains", "21", "1", False),
        ("contains", "21 or 1", "1", True),
        ("contains", "it costs 5€ now", "5€", True),
        ("contains", "", "Rome", False),
        ("regex", "the sum is 82.", r"\b82\b", True),
        ("regex", "the sum is 823", r"\b82\b", False),
        ("regex", "line\n82", r"^82$", False),
        ("json-schema", '{"city": "Rome", "days": 2}', SCHEMA, True),
        ("json-schema", '```json\n{"city": "Rome"}\n```', SCHEMA, True),
        ("json-schema", '{"city": "Rome", "days": 0}', SCHEMA, False),
        ("json-schema", '{"town": "Rome"}', SCHEMA, False),
        ("json-schema", 'Here: {"city": "Rome"}', SCHEMA, False),
        ("json-schema", "NaN", {"type": "number"}, False),
        ("json-schema", "[" * 100_000, {"type": "array"}, False),
        ("json-schema", "9" * 10_000, {"type": "integer"}, False),
        ("choice", "yes", "yes", True),
        ("choice", "no", "yes", False),
    ],
)
def test_what_is_right(name: str, said: str, expected: Any, right: bool) -> None:
    scorer(name).check(expected, {})
    assert scorer(name).score(said, expected, {}) == float(right)


def test_case_counts_as_the_table_says() -> None:
    assert scorer("exact").score("rome", "Rome", {"ignore_case": True}) == 1.0
    assert scorer("contains").score("in rome", "Rome", {"ignore_case": False}) == 0.0
    assert scorer("regex").score("in ROME", "rome", {"ignore_case": True}) == 1.0


@pytest.mark.parametrize(
    ("name", "expected", "words"),
    [
        ("exact", 82, "expected a text or a list of texts"),
        ("exact", [], "expected a text"),
        ("contains", " ", "expected a text"),
        ("regex", "(open", "is no regular expression"),
        ("regex", "x" * 3000, "up to 2000 characters"),
        ("json-schema", "{}", "expected a JSON Schema"),
        ("json-schema", {"type": "objekt"}, "no JSON Schema"),
        ("json-schema", {"items": [{"$ref": "https://example.org/x.json"}]}, "which is not within it"),
    ],
)
def test_what_cannot_be_compared_with_is_refused_in_words(name: str, expected: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        scorer(name).check(expected, {})


def test_every_name_has_its_module_and_code_is_named_with_a_colon() -> None:
    assert [scorer(name).NAME for name in SCORERS] == list(SCORERS)
    assert [kind_of(name) for name in ("exact", "my.rules:close", "my rules:close", "fuzzy", "module:function")] == [
        "exact",
        "module:function",
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("per", "index"),
    [("option", 0), ("character", 2), ("token", 1)],
)
def test_options_of_different_lengths_are_compared_as_asked(per: Any, index: int) -> None:
    chosen = Chosen(logprobs=(-4.0, -6.0, -8.0), tokens=(1, 8, 2))
    options = ("ab", "abcde", "a" * 40)
    by_hand = {"option": (-4, -6, -8), "character": (-4 / 2, -6 / 5, -8 / 40), "token": (-4, -6 / 8, -4)}[per]
    assert preferred(chosen, options, per) == index == by_hand.index(max(by_hand))


def test_a_pattern_without_end_is_stopped_is_wrong_and_stops_the_suite_only_when_it_comes_again() -> None:
    short = Bounded(seconds=0.2)
    try:
        arguments = ("(a+)+$", "a" * 40 + "!", False)
        for _ in range(MOST_ENDLESS):
            assert short.call("edgeshrink.evaluate.scorers.regex:found", *arguments, what="the pattern") is None
        with pytest.raises(DataError, match=r"the pattern did not end within 0.2 s on 6 answers"):
            short.call("edgeshrink.evaluate.scorers.regex:found", *arguments, what="the pattern")
        answer = short.call("edgeshrink.evaluate.scorers.regex:found", "a", "a", False, what="another")
        assert answer is not None and answer.value is True
    finally:
        short.close()


def _options(folder: Path, name: str, code: str, **more: Any) -> dict[str, Any]:
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    return {"scorer": f"{name}:rate", "folder": str(folder), **more}


def test_a_function_of_the_persons_own_judges_and_what_it_prints_is_nothing(tmp_path: Path) -> None:
    code = "def rate(said, expected):\n    print('noise')\n    return said.count(expected['word']) / 4\n"
    options = _options(tmp_path, "own_rule", code)
    function = scorer("module:function")
    assert [function.score(said, {"word": "x"}, options) for said in ("x", "xx", "xxxx")] == [0.0, 1.0, 1.0]
    assert function.score("xxx", {"word": "x"}, {**options, "graded": True}) == 0.75


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def rate(said, expected):\n    raise KeyError('city')\n", "failed: KeyError: 'city'"),
        ("def rate(said, expected):\n    return 'good'\n", "returned 'good'"),
        ("def rate(said, expected):\n    return 7\n", "returned 7"),
        ("def other(said, expected):\n    return 1\n", "has no attribute 'rate'"),
        ("rate = 3\n", "is no function"),
    ],
)
def test_a_function_that_fails_is_named_with_what_it_did(tmp_path: Path, code: str, words: str) -> None:
    options = _options(tmp_path, "bad_rule", code)
    with pytest.raises(DataError, match=words):
        scorer("module:function").score("x", "y", options)


def test_a_function_that_kills_its_process_is_a_wrong_answer(tmp_path: Path) -> None:
    code = "import os\ndef rate(said, expected):\n    os._exit(3)\n"
    assert scorer("module:function").score("x", "y", _options(tmp_path, "dying_rule", code)) == 0.0
