"""Which suite a word means: ready ones, files of one's own, benchmarks, a harness's tasks, and several joined."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeshrink.catalog.texts import Text, calibration_default, evaluation_text
from edgeshrink.core.suite import Suite
from edgeshrink.errors import DataError, UsageError
from edgeshrink.evaluate.kept_apart import refuse_leaks
from edgeshrink.evaluate.slices.registry import ASKING, READING
from edgeshrink.evaluate.suite_files import READY, load_suite

TEXTS = ["general", "code", "digits", "en", "de", "es", "fr", "it"]


def _jsonl(path: Path, count: int = 3, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"prompt": f"question {n}", "expected": "yes", **more}) for n in range(count))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _bfcl(path: Path) -> Path:
    question = [[{"role": "user", "content": "Find the area of a triangle with a base of 10 and a height of 5 units."}]]
    path.write_text(json.dumps({"id": "simple_python_0", "question": question, "function": []}), encoding="utf-8")
    return path


def _items(suite: Suite) -> dict[str, int]:
    return {plan.family: plan.items for plan in suite.asking}


def test_the_ready_suites_ask_every_generated_family_and_read_every_text() -> None:
    quick, standard, full = map(load_suite, READY)
    generated = {name for name in ASKING if name not in ("bfcl", "own")}
    for suite in (quick, standard, full):
        assert set(_items(suite)) == generated
        assert [text.label for text in suite.texts] == TEXTS
        assert suite.reading == tuple(READING)
    assert [suite.name for suite in (quick, standard, full)] == list(READY)
    assert [suite.looks for suite in (quick, standard, full)] == [1, 3, 3]
    for family in generated:
        assert _items(full)[family] == 3 * _items(standard)[family] > 3 * _items(quick)[family]
    assert full.text_tokens == 3 * standard.text_tokens == 9 * quick.text_tokens


def test_a_file_of_items_is_a_suite_of_its_own(tmp_path: Path) -> None:
    path = _jsonl(tmp_path / "my checks (v2).jsonl", 5)
    suite = load_suite("my checks (v2).jsonl", folder=tmp_path)
    (plan,) = suite.asking
    (table,) = plan.options["files"]
    assert (plan.family, plan.items, suite.texts) == ("own", 5, ())
    assert (table["file"], table["name"], table["lines"]) == (str(path), "my-checks-v2", 5)
    assert json.loads(json.dumps(dict(plan.options))) == plan.options


def test_a_suite_file_says_what_is_asked_and_read_and_paths_begin_beside_it(tmp_path: Path) -> None:
    _jsonl(tmp_path / "items" / "a.jsonl", 9)
    (tmp_path / "law.txt").write_text("text", encoding="utf-8")
    (tmp_path / "task.yaml").write_text("task: t", encoding="utf-8")
    (tmp_path / "mine.toml").write_text(
        """
        extends = "quick"
        looks = 2
        text-tokens = 2048
        [ask.arithmetic]
        items = 7
        digits = [3]
        [[text]]
        label = "law"
        title = "contracts"
        file = "law.txt"
        [[own]]
        file = "items/a.jsonl"
        name = "mine"
        items = 4
        scorer = "contains"
        ignore-case = true
        [harness]
        tasks = ["arc_easy", "task.yaml"]
        items = 20
        """,
        encoding="utf-8",
    )
    suite = load_suite(str(tmp_path / "mine.toml"), folder=Path("/"))
    plans = {plan.family: plan for plan in suite.asking}
    assert (suite.name, suite.looks, suite.text_tokens) == ("mine", 2, 2048)
    assert (plans["arithmetic"].items, dict(plans["arithmetic"].options)) == (7, {"digits": [3]})
    assert [text.label for text in suite.texts] == [*TEXTS, "law"]
    assert (suite.texts[-1].title, suite.texts[-1].file) == ("contracts", tmp_path / "law.txt")
    (table,) = plans["own"].options["files"]
    assert plans["own"].items == 4
    assert (table["name"], table["scorer"], table["ignore_case"]) == ("mine", "contains", True)
    assert (suite.harness, suite.harness_items) == (("arc_easy", str(tmp_path / "task.yaml")), 20)


def test_a_suite_file_that_extends_nothing_has_only_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text('[[text]]\nlabel = "de"\n', encoding="utf-8")
    suite = load_suite(str(path))
    assert (suite.asking, suite.reading, [text.label for text in suite.texts]) == ((), tuple(READING), ["de"])
    assert suite.text_tokens > 0 and suite.looks > 1


def test_several_suites_are_joined(tmp_path: Path) -> None:
    _jsonl(tmp_path / "a.jsonl", 3)
    _jsonl(tmp_path / "b.jsonl", 5)
    _bfcl(tmp_path / "BFCL_v4_one.json")
    _bfcl(tmp_path / "BFCL_v4_two.json")
    suite = load_suite("quick,a.jsonl,BFCL_v4_one.json,b.jsonl,BFCL_v4_two.json,lm-eval:arc_easy", folder=tmp_path)
    items, options = _items(suite), {plan.family: plan.options for plan in suite.asking}
    assert (items["arithmetic"], items["own"], items["bfcl"]) == (_items(load_suite("quick"))["arithmetic"], 8, 2)
    assert [table["name"] for table in options["own"]["files"]] == ["a", "b"]
    assert options["bfcl"]["files"] == [str(tmp_path / f"BFCL_v4_{name}.json") for name in ("one", "two")]
    assert len(options["bfcl"]["sha256"]) == 2
    assert (suite.harness, suite.looks, len(suite.texts)) == (("arc_easy",), 3, len(TEXTS))
    assert suite.name == "quick+a+BFCL_v4_one+b+BFCL_v4_two+lm-eval:arc_easy"
    assert load_suite(["quick", "a.jsonl"], folder=tmp_path) == load_suite("quick, a.jsonl", folder=tmp_path)


def test_a_name_with_a_comma_is_a_file_where_one_is_called_so(tmp_path: Path) -> None:
    _jsonl(tmp_path / "a,b.jsonl")
    assert load_suite("a,b.jsonl", folder=tmp_path).name == "a,b"


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        ("quik", UsageError, "there is no suite 'quik'"),
        ("", UsageError, "no suite is named"),
        ("notes.txt", UsageError, "nothing here reads .txt"),
        ("lm-eval:../x", UsageError, "is no task's name"),
        ("lm-eval:absent.yaml", DataError, "absent.yaml is not there"),
        ("a.jsonl,sub/a.jsonl", UsageError, "both called own/a"),
        ("bad.toml", DataError, "askk: unknown key; did you mean ask"),
        ("family.toml", DataError, "there is no family 'arithmetics'"),
        ("reading.toml", DataError, "there is no family 'texts'"),
        ("empty.toml", DataError, "nothing is asked and nothing is read"),
        ("own.toml", DataError, r"named by \[\[own\]\] tables"),
        ("items.toml", DataError, "ask.arithmetic.items: "),
        ("missing.toml", DataError, "gone.jsonl is not there"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, words: str, error: type[Exception], said: str) -> None:
    files = {
        "notes.txt": "x",
        "bad.toml": "[askk.arithmetic]\nitems = 3",
        "family.toml": "[ask.arithmetics]\nitems = 3",
        "reading.toml": 'reading = ["texts"]',
        "empty.toml": 'name = "nothing"',
        "own.toml": "[ask.own]\nitems = 3",
        "items.toml": "[ask.arithmetic]\nitems = 0",
        "missing.toml": '[[own]]\nfile = "gone.jsonl"',
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    _jsonl(tmp_path / "a.jsonl")
    _jsonl(tmp_path / "sub" / "a.jsonl")
    with pytest.raises(error, match=said):
        load_suite(words, folder=tmp_path)


@pytest.mark.parametrize("name", READY)
def test_the_ready_suites_are_apart_from_the_shipped_calibration_text(name: str) -> None:
    refuse_leaks(load_suite(name), calibration_default())


def test_calibration_text_that_holds_what_is_asked_or_read_is_refused(tmp_path: Path) -> None:
    question = "which of the nine bridges over the old canal was closed to heavy carts last winter"
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"prompt": question, "expected": "The third one."}), encoding="utf-8")
    bfcl = _bfcl(tmp_path / "BFCL_v4_one.json")
    words = evaluation_text().text.split()
    law = tmp_path / "law.txt"
    law.write_text(" ".join(words[3000:3400]), encoding="utf-8")
    (tmp_path / "law.toml").write_text('[[text]]\nlabel = "law"\nfile = "law.txt"', encoding="utf-8")
    leaks = {
        "own.jsonl": f"Once he asked {question}, and nobody knew.",
        "BFCL_v4_one.json": "please find the area of a triangle with a base of 10 and a height of 5 units. thanks",
        "law.toml": " ".join(words[3100:3200]),
        "quick": " ".join(words[100:400]),
    }
    assert own.is_file() and bfcl.is_file()
    for name, leak in leaks.items():
        suite = load_suite(name, folder=tmp_path)
        refuse_leaks(suite, Text.of("calibration.txt", b"something else entirely"))
        with pytest.raises(DataError, match=r"calibration\.txt"):
            refuse_leaks(suite, Text.of("calibration.txt", leak.encode()))
