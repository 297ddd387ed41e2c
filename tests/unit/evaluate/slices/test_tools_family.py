from __future__ import annotations

import json
import zlib
from collections import Counter
from random import Random
from typing import Any

import pytest

from edgeshrink.errors import UsageError
from edgeshrink.evaluate.probes import TEMPERATURES, Answer, Refused, Said
from edgeshrink.evaluate.slices import tools
from edgeshrink.evaluate.slices.interface import Item, Settings
from edgeshrink.evaluate.slices.words.tool_catalog import TOOLS

CYCLE = 2 * 2 * 4 * 3
"""Items until each number of tools was offered with each length and both kinds of pairs."""
ROME = '{"name": "get_weather", "arguments": {"city": "Rome"}}'


def settings(context: int = 2048, **options: Any) -> Settings:
    return Settings(chat=True, context=context, characters_per_token=3.0, options=options)


def drawn(count: int = CYCLE, seed: int = 1, **options: Any) -> list[Item]:
    return list(tools.items(settings(**options), Random(seed), count))


def said(text: str) -> Said:
    return Said(text, 9, "stop token", (), (-0.5,) * len(TEMPERATURES))


def offered(item: Item) -> list[str]:
    return [tool["function"]["name"] for tool in item.probes[0].prompt.tools]


def test_pairs_differ_in_one_tool_or_in_the_last_words_and_in_nothing_else() -> None:
    items = drawn()
    kinds = Counter()
    for due, idle in zip(items[::2], items[1::2], strict=True):
        kinds[idle.facts["kind"]] += 1
        first, second = due.probes[0].prompt, idle.probes[0].prompt
        assert first.messages[:-1] == second.messages[:-1]
        assert due.facts["call"]["name"] in offered(due)
        if idle.facts["kind"] == "no such tool":
            assert first.messages == second.messages
            assert due.facts["call"]["name"] not in offered(idle)
            assert sum(one != other for one, other in zip(offered(due), offered(idle), strict=True)) == 1
        else:
            assert first.tools == second.tools
            assert first.messages[-1] != second.messages[-1]
    assert kinds == {"no such tool": CYCLE // 4, "remark": CYCLE // 4}
    assert [item.facts["call"] is not None for item in items] == [True, False] * (CYCLE // 2)


def test_every_number_of_tools_is_asked_as_often_at_every_length() -> None:
    parts = Counter(tuple(item.facts["parts"]) for item in drawn())
    assert len(parts) == 12 and set(parts.values()) == {4}
    assert {len(offered(item)) for item in drawn()} == {1, 2, 4, 8}


def test_longer_chats_are_filled_by_turns_in_which_nothing_is_called() -> None:
    lengths: dict[str, list[int]] = {}
    for item in drawn(4 * CYCLE):
        messages = item.probes[0].prompt.messages
        text = "".join(message["content"] for message in messages[:-1])
        assert "{" not in text
        assert [message["role"] for message in messages] == (["user", "assistant"] * len(messages))[: len(messages)]
        lengths.setdefault(item.facts["parts"][1], []).append(len(text) + len(json.dumps(offered(item))))
    average = {part: sum(values) / len(values) for part, values in lengths.items()}
    assert (
        average["first turn"]
        < average["20% of the context filled before"]
        < average["40% of the context filled before"]
    )
    room = settings().characters
    assert max(lengths["40% of the context filled before"]) < 0.5 * room


def test_only_what_training_held_out_is_asked() -> None:
    held = 0
    for item in (one for one in drawn(200) if one.facts["call"]):
        tool = next(one for one in TOOLS if one.name == item.facts["call"]["name"])
        (value,) = item.facts["call"]["arguments"].values()
        phrase = next(
            one for one in tool.questions if one.format(value) == item.probes[0].prompt.messages[-1]["content"]
        )
        held += zlib.crc32(f"tool|{tool.name}|{phrase}|{value}".encode()) % 1000 < 100
    assert held == 100


@pytest.mark.parametrize(("context", "most"), [(64, 1), (128, 1), (256, 4), (512, 8), (8192, 8)])
def test_only_as_many_tools_are_offered_as_fit(context: int, most: int) -> None:
    items = list(tools.items(settings(context), Random(1), CYCLE))
    assert max(len(offered(item)) for item in items) == most
    assert tools.slices(settings(context))[2].chance == pytest.approx(
        {1: 0.0, 4: (1 + 1 / 2 + 1 / 4) / 3, 8: (1 + 1 / 2 + 1 / 4 + 1 / 8) / 4}[most]
    )


def first_of(kind: str) -> Item:
    return next(item for item in drawn() if item.facts["kind"] == kind)


def wrong(item: Item, what: str) -> str:
    due = item.facts["call"]
    value = next(iter(due["arguments"].values()))
    other = next(tool for tool in TOOLS if tool.name != due["name"] and tool.argument != next(iter(due["arguments"])))
    return {
        "right": item.facts["oracle"][0],
        "right, in a tag": f"One moment. <tool_call>{item.facts['oracle'][0]}</tool_call>",
        "words": "I do not know.",
        "broken": item.facts["oracle"][0][:-1],
        "another function": json.dumps({**due, "name": "no_such_tool"}),
        "another function of the catalog": other.call(value),
        "another value": json.dumps({**due, "arguments": dict.fromkeys(due["arguments"], "Atlantis")}),
        "value in capitals": json.dumps({**due, "arguments": {key: value.upper() for key in due["arguments"]}}),
        "another type": json.dumps({**due, "arguments": {key: [value] for key in due["arguments"]}}),
        "no arguments": json.dumps({**due, "arguments": {}}),
        "twice": json.dumps([due, due]),
        "nothing": "",
    }[what]


@pytest.mark.parametrize(
    ("what", "decision", "valid", "function", "arguments", "whole"),
    [
        ("right", 1, 1, 1, 1, True),
        ("right, in a tag", 1, 1, 1, 1, True),
        ("words", 0, 0, 0, 0, False),
        ("broken", 1, 0, 0, 0, False),
        ("another function", 1, 0, 0, 1, False),
        ("another function of the catalog", 1, 1, 0, 0, False),
        ("another value", 1, 1, 1, 0, False),
        ("value in capitals", 1, 1, 1, 1, True),
        ("another type", 1, 0, 1, 0, False),
        ("no arguments", 1, 0, 1, 0, False),
        ("twice", 1, 1, 0, 0, False),
        ("nothing", 0, 0, 0, 0, False),
    ],
)
def test_each_slice_sees_its_own_damage(
    what: str, decision: int, valid: int, function: int, arguments: int, whole: bool
) -> None:
    item = first_of("question")
    scores = list(tools.score(item, (said(item.facts["oracle"][0]),), (said(wrong(item, what)),)))
    assert {score.slice: score.values["right"] for score in scores} == {
        "tools/decision": (1.0, decision),
        "tools/json": (1.0, valid),
        "tools/function": (1.0, function),
        "tools/arguments": (1.0, arguments),
    }
    assert [score.answered[1].right for score in scores if score.answered] == [whole]


@pytest.mark.parametrize("kind", ["no such tool", "remark"])
def test_where_no_call_is_due_only_the_decision_is_scored(kind: str) -> None:
    item = first_of(kind)
    for text, right in (("Thank you.", 1.0), (ROME, 0.0), (ROME[:-3], 0.0), ("", 1.0)):
        (score,) = tools.score(item, (said(item.facts["oracle"][0]),), (said(text),))
        assert (score.slice, score.values["right"]) == ("tools/decision", (1.0, right))
        assert kind in score.parts


def test_a_call_is_judged_only_where_the_reference_makes_one() -> None:
    item = first_of("question")
    right: Answer = said(item.facts["oracle"][0])
    (score,) = tools.score(item, (said("I cannot."),), (right,))
    assert (score.slice, score.values["right"]) == ("tools/decision", (0.0, 1.0))
    assert list(tools.score(item, (Refused("too long"),), (right,))) == []
    assert {score.values["right"] for score in tools.score(item, (right,), (Refused("too long"),))} == {(1.0, 0.0)}
    idle = first_of("remark")
    (refused,) = tools.score(idle, (said("Fine."),), (Refused("too long"),))
    assert refused.values["right"] == (1.0, 0.0), "no answer is no decision"


@pytest.mark.parametrize(
    "options", [{"offered": [0]}, {"offered": []}, {"offered": ["2"]}, {"filled": [2]}, {"offered": [40]}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="tools: "):
        tools.slices(settings(**options))


def test_options_choose_what_is_offered() -> None:
    items = drawn(offered=[3], filled=[0])
    assert {tuple(item.facts["parts"]) for item in items} == {("3 tools offered", "first turn")}
