from __future__ import annotations

from random import Random

import pytest

from edgeshrink.evaluate.probes import TEMPERATURES, Answer, Refused, Said
from edgeshrink.evaluate.slices import format
from edgeshrink.evaluate.slices.interface import Item, Settings


def drawn(count: int = 40) -> list[Item]:
    return list(format.items(Settings(True, 512, 3.0), Random(1), count))


def said(text: str, *control: str, ended: str = "stop token") -> Said:
    return Said(text, 9, ended, control, (-0.5,) * len(TEMPERATURES))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "answer",
    [
        said("82"),
        said('{"name": "get_time", "arguments": {"city": "Rome"}}', "<tool_call>", "</tool_call>"),
        said("82", "<think>", "</think>"),
        said("", "<|tool_call_start|>"),
        said("The user: who is that? An assistant: one who helps."),
        said("a < b | c > d"),
    ],
)
def test_one_turn_is_recognised(answer: Answer) -> None:
    assert format.is_one_turn(answer)


@pytest.mark.parametrize(
    "answer",
    [
        said(""),
        said("  \n"),
        said("82", "<|user|>"),
        said("82", "<|end|>", "<|begin|>"),
        said("82<|user|>And 3+4?"),
        said("82\nUser: And 3+4?"),
        said("assistant: 82"),
        said("82\n### Instruction: more"),
        said("82 [/INST]"),
        said("82<end_of_turn>"),
        said("82</s>"),
        Refused("too long"),
    ],
)
def test_other_turns_and_roles_are_seen(answer: Answer) -> None:
    assert not format.is_one_turn(answer)


@pytest.mark.parametrize(
    ("ended", "right"), [("stop token", 1.0), ("limit", 0.0), ("context", 0.0), ("stop text", 0.0)]
)
def test_only_a_stop_token_ends_an_answer(ended: str, right: float) -> None:
    stop, template = format.score(drawn(1)[0], (said("Hello!"),), (said("Hello!", ended=ended),))
    assert (stop.slice, stop.values["right"]) == ("format/stop", (1.0, right))
    assert (template.slice, template.values["right"]) == ("format/template", (1.0, 1.0))
    assert f"ended by {ended}" in stop.shown.candidate


def test_what_cannot_be_asked_is_not_scored_or_wrong() -> None:
    item = drawn(1)[0]
    assert list(format.score(item, (Refused("no"),), (said("Hello!"),))) == []
    assert [score.values["right"] for score in format.score(item, (said("Hello!"),), (Refused("no"),))] == [
        (1.0, 0.0)
    ] * 2


def test_first_and_later_turns_are_asked_in_every_kind() -> None:
    items = drawn()
    assert {item.facts["parts"][0] for item in items} == {"small talk", "sum", "tool call", "no such tool", "remark"}
    for item in items:
        roles = [message["role"] for message in item.probes[0].prompt.messages]
        assert roles == (["user", "assistant"] * len(roles))[: len(roles)] and roles[-1] == "user"
        assert ("later turn" in item.facts["parts"]) == (len(roles) > 1)
        assert bool(item.probes[0].prompt.tools) == (item.facts["parts"][0] not in ("small talk", "sum"))
