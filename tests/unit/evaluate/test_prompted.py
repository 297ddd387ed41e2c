"""Prompts for a teacher: lines with and without an expected answer, drawn differently, refused by number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeshrink.errors import DataError
from edgeshrink.evaluate.probes import Choose, Generate, Prompt
from edgeshrink.evaluate.prompted import count_prompts, is_right, prompt_table, prompted_items, scored_item
from edgeshrink.evaluate.slices.interface import Item

TURN = {"role": "user", "content": "Which city?"}
GOLD = {"role": "assistant", "content": "Rome"}
SCHEMA = {"type": "object", "required": ["city"]}


def table(folder: Path, *lines: Any, scorer: str | None = None) -> dict[str, Any]:
    file = folder / "prompts.jsonl"
    file.write_text("\n\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return prompt_table(file, scorer=scorer, max_tokens=99)


def items(*tables: dict[str, Any], chat: bool = True, samples: int = 1, seed: int = 3) -> list[Item]:
    return list(prompted_items(tables, samples=samples, temperature=0.7, seed=seed, chat=chat))


@pytest.mark.parametrize(
    ("line", "default", "judged"),
    [
        ({"prompt": "Which city?"}, None, ("", None)),
        ({"prompt": "Which city?"}, "contains", ("", None)),
        ({"prompt": "Which city?", "expected": "Rome"}, None, ("exact", "Rome")),
        ({"prompt": "Which city?", "expected": "Rome"}, "contains", ("contains", "Rome")),
        ({"prompt": "Which city?", "expected": "R.me", "scorer": "regex"}, "contains", ("regex", "R.me")),
        ({"prompt": "Which city?", "schema": SCHEMA}, "contains", ("json-schema", SCHEMA)),
        ({"prompt": "Which city?", "choices": ["Rome", "Bern"], "expected": 0}, None, ("choice", "Rome")),
        ({"messages": [TURN, GOLD]}, None, ("", None)),
        ({"messages": [TURN, GOLD]}, "contains", ("contains", "Rome")),
        ({"messages": [TURN, GOLD], "expected": "Roma"}, None, ("exact", "Roma")),
        ({"prompt": "Which city?"}, "mine:judge", ("module:function", None)),
    ],
)
def test_a_prompt_says_what_is_right_or_leaves_it_open(
    tmp_path: Path, line: dict[str, Any], default: str | None, judged: tuple[str, Any]
) -> None:
    (one,) = items(table(tmp_path, line, scorer=default))
    assert (one.facts["scorer"], one.facts["expected"]) == judged
    assert one.facts["messages"] == [TURN] and one.facts["text"] == ""
    (probe,) = one.probes
    assert isinstance(probe, Generate)
    assert (probe.prompt.messages, probe.max_tokens, probe.temperature) == ((TURN,), 99, 0.7)


def test_answers_are_drawn_differently_and_the_same_again(tmp_path: Path) -> None:
    given = table(tmp_path, {"prompt": "One?", "max_tokens": 5}, {"prompt": "Two?", "stop": "!"})
    found = items(given, samples=3)
    assert [one.id for one in found] == ["1-1", "1-3"]
    seeds = [probe.seed for one in found for probe in one.probes if isinstance(probe, Generate)]
    assert len(set(seeds)) == 6 and found == items(given, samples=3)
    assert items(given, samples=3, seed=4)[0].probes[0].seed not in seeds  # type: ignore[union-attr]
    assert items(given)[0].probes == found[0].probes[:1]
    assert [one.probes[0].max_tokens for one in found] == [5, 99]  # type: ignore[union-attr]
    assert found[1].probes[0].stop == ("!",)  # type: ignore[union-attr]
    assert [one.id for one in items(given, given)] == ["1-1", "1-3", "2-1", "2-3"]


def test_without_a_template_a_prompt_is_plain_text(tmp_path: Path) -> None:
    given = table(tmp_path, {"prompt": "12+3=", "expected": "15"}, {"text": "Once"}, {"messages": [TURN]})
    sum_, story, chat = (one.probes[0] for one in items(given, chat=False))
    assert sum_ == Generate(Prompt(text="12+3="), 99, ("\n",), 0.7, sum_.seed)  # type: ignore[union-attr]
    assert story == Generate(Prompt(text="Once"), 99, (), 0.7, story.seed)  # type: ignore[union-attr]
    assert chat.prompt == Prompt(messages=(TURN,))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"expected": "Rome"}, "line 3: expected one of messages, prompt and text"),
        ({"messages": [GOLD]}, "line 3: expected one of messages, prompt and text"),
        ({"prompt": "?", "expected": "x", "scorer": "nobody"}, "line 3: there is no scorer 'nobody'"),
        ({"prompt": "?", "expected": "x", "scorer": "a:b"}, "line 3: a line of items cannot name code"),
        ({"prompt": "?", "expected": "(", "scorer": "regex"}, "line 3: regex: "),
        ({"prompt": "?", "schema": {"type": 3}}, "line 3: json-schema: no JSON Schema"),
        ({"prompt": "?", "max_tokens": -1}, "line 3: max_tokens is -1"),
        ("text", "line 3: expected a JSON object"),
    ],
)
def test_a_line_that_is_no_prompt_is_named(tmp_path: Path, line: Any, told: str) -> None:
    with pytest.raises(DataError, match=told.replace("(", r"\(")):
        count_prompts([table(tmp_path, {"prompt": "?"}, line)])


def test_prompts_are_counted_and_a_file_without_any_is_refused(tmp_path: Path) -> None:
    given = table(tmp_path, {"prompt": "?"}, {"text": "Once"})
    assert count_prompts([given, given]) == 4
    (tmp_path / "empty.jsonl").write_text("\n\n", encoding="utf-8")
    with pytest.raises(DataError, match="no prompts"):
        count_prompts([prompt_table(tmp_path / "empty.jsonl", scorer=None, max_tokens=9)])
    with pytest.raises(DataError, match="cannot read"):
        count_prompts([prompt_table(tmp_path / "none.jsonl", scorer=None, max_tokens=9)])


def test_answers_are_judged_behind_their_thoughts() -> None:
    assert is_right("exact", "<think>Bern? No.</think>\nRome", "Rome", {})
    assert not is_right("exact", "<think>Rome", "Rome", {})
    assert is_right("json-schema", '```json\n{"city": "Rome"}\n```', SCHEMA, {})
    assert not is_right("json-schema", "{}", SCHEMA, {})


def test_ones_own_code_judges(tmp_path: Path) -> None:
    (tmp_path / "long_enough.py").write_text("def judge(said, expected):\n    return len(said) > 3\n", encoding="utf-8")
    (one,) = items(table(tmp_path, {"prompt": "Which city?"}, scorer="long_enough:judge"))
    judged = [
        is_right(one.facts["scorer"], said, one.facts["expected"], one.facts["options"]) for said in ("Rome", "?")
    ]
    assert judged == [True, False]


def test_a_model_without_a_template_reads_a_question_as_a_line() -> None:
    asked = Prompt(messages=(TURN,))
    assert scored_item("a", asked, "Rome", chat=True).probes == (Choose(asked, ("Rome",)),)
    assert scored_item("a", asked, "Rome", chat=False).probes == (Choose(Prompt(text="Which city?\n"), ("Rome",)),)
    text = Prompt(text="The city is")
    assert scored_item("a", text, " Rome", chat=False).probes == (Choose(text, (" Rome",)),)
