"""Tool use: whether to call, and then a call that can be read, of the right function, with the right arguments.

The decision is the first thing a model settles in its answer: does it begin a call, well formed or not? The call itself
is looked at where one is due and the reference makes one; there a candidate that makes none has nothing right. As an
answer (for flips and confidence) it is right as a whole or not at all.

Options: `offered`, numbers of tools (default 1, 2, 4, 8, as far as they fit); `filled`, shares of the context that
earlier turns fill (default 0, 0.2, 0.4); `characters`, the longest chat (default 6000); `max_tokens` (default 80).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, islice
from random import Random
from typing import Any

import jsonschema
from referencing import Registry

from edgeshrink.evaluate.answers import answered
from edgeshrink.evaluate.probes import Answer, Generate, Prompt, Refused
from edgeshrink.evaluate.slices.call_spellings import Call
from edgeshrink.evaluate.slices.interface import Item, Score, Settings, Shown, SliceFacts
from edgeshrink.evaluate.slices.options import several, whole, whole_between
from edgeshrink.evaluate.slices.rights import RIGHT, asked, seen, task_score, words
from edgeshrink.evaluate.slices.tool_calls import Heard, hear
from edgeshrink.evaluate.slices.tool_chats import ToolChat, counts_that_fit, pairs
from edgeshrink.evaluate.slices.words.tool_catalog import TOOLS

NAME = "tools"
OPTIONS = ("max_tokens", "characters", "offered", "filled")
_OFFERED = (1, 2, 4, 8)
_FILLED = (0.0, 0.2, 0.4)
_CHARACTERS = 6000
_MAX_TOKENS = 80
_MOST = 10_000_000


def slices(settings: Settings) -> tuple[SliceFacts, ...]:
    if not settings.chat:
        return ()
    counts, _, _ = _plan(settings)
    guess = sum(1 / count for count in counts) / len(counts)
    return (
        SliceFacts("tools/decision", "Tools: to call, or to answer", (RIGHT,), 0.5),
        SliceFacts("tools/json", "Tools: a call that fits the tool's schema", (RIGHT,), 0.0),
        SliceFacts("tools/function", "Tools: the right function", (RIGHT,), guess if guess < 1 else 0.0),
        SliceFacts("tools/arguments", "Tools: the right arguments", (RIGHT,), 0.0),
    )


def why_not(settings: Settings) -> str:
    return "the reference has no chat template"


def items(settings: Settings, random: Random, count: int) -> Iterator[Item]:
    if not settings.chat:
        return
    counts, fills, room = _plan(settings)
    chats = chain.from_iterable(pairs(random, counts, fills, room))
    limit = whole(settings, NAME, "max_tokens", _MAX_TOKENS, 1, _MOST)
    for number, chat in enumerate(islice(chats, count)):
        yield _item(f"{number // 2}-{chat.kind.replace(' ', '-')}", chat, limit)


def score(item: Item, reference: Sequence[Answer], candidate: Sequence[Answer]) -> Iterator[Score]:
    """Nothing where the reference could not be asked: that says nothing about the candidate."""
    if isinstance(reference[0], Refused):
        return
    facts = item.facts
    answers = (reference[0], candidate[0])
    heard = (_heard(item, answers[0]), _heard(item, answers[1]))
    right = (_decided(item, answers[0], heard[0]), _decided(item, answers[1], heard[1]))
    whole = (_whole(item, heard[0]), _whole(item, heard[1]))
    decision = task_score("tools/decision", item, answers, right, parts=(*facts["parts"], facts["kind"]))
    yield replace(
        decision,
        answered=(answered(answers[0], right[0] and whole[0]), answered(answers[1], right[1] and whole[1])),
    )
    if facts["call"] is None or not heard[0].opened:
        return
    shown = Shown(asked(item), facts["expected"], seen(answers[0]), seen(answers[1]))
    for name, judge in (("json", _fits), ("function", _right_function), ("arguments", _right_arguments)):
        values = (float(judge(facts["call"], heard[0])), float(judge(facts["call"], heard[1])))
        yield Score(f"tools/{name}", item.id, {RIGHT.name: values}, shown, tuple(facts["parts"]))


def _plan(settings: Settings) -> tuple[tuple[int, ...], tuple[float, ...], int]:
    room = min(settings.characters, whole(settings, NAME, "characters", _CHARACTERS, 1, _MOST))
    offered = several(settings, NAME, "offered", _OFFERED, whole_between(1, len(TOOLS) - 1))
    filled = several(settings, NAME, "filled", _FILLED, lambda one: isinstance(one, int | float) and 0 <= one <= 1)
    return counts_that_fit(offered, room), filled, room


def _item(name: str, chat: ToolChat, limit: int) -> Item:
    prompt = Prompt(messages=chat.messages, tools=tuple(tool.function for tool in chat.offered))
    count = len(chat.offered)
    full = f"{chat.filled:.0%} of the context filled before" if chat.filled else "first turn"
    facts = {
        "kind": chat.kind,
        "names": [tool.name for tool in chat.offered],
        "call": chat.call and {"name": chat.call[0].name, "arguments": {chat.call[0].argument: chat.call[1]}},
        "expected": chat.reply,
        "oracle": [chat.reply],
        "parts": [f"{count} tool{'s' if count > 1 else ''} offered", full],
    }
    return Item(name, (Generate(prompt, limit),), facts)


def _heard(item: Item, answer: Answer) -> Heard:
    return hear(words(answer), item.facts["names"])


def _decided(item: Item, answer: Answer, heard: Heard) -> bool:
    return not isinstance(answer, Refused) and heard.opened == (item.facts["call"] is not None)


def _whole(item: Item, heard: Heard) -> bool:
    """The decision apart: where a call is due, it is the right one."""
    due = item.facts["call"]
    return due is None or (_right_function(due, heard) and _right_arguments(due, heard))


def _fits(due: dict[str, Any], heard: Heard) -> bool:
    return bool(heard.calls) and all(_fits_schema(call) for call in heard.calls)


def _fits_schema(call: Call) -> bool:
    validator = _validators().get(call.name)
    return validator is not None and bool(validator.is_valid(dict(call.arguments)))


@lru_cache(maxsize=1)
def _validators() -> dict[str, jsonschema.Draft202012Validator]:
    """Of each tool's arguments; nothing is fetched."""
    schemas = {tool.name: tool.function["function"]["parameters"] for tool in TOOLS}
    return {name: jsonschema.Draft202012Validator(schema, registry=Registry()) for name, schema in schemas.items()}


def _right_function(due: dict[str, Any], heard: Heard) -> bool:
    return [call.name for call in heard.calls] == [due["name"]]


def _right_arguments(due: dict[str, Any], heard: Heard) -> bool:
    """As words: a number that is written as one is the same as in quotes, and case says nothing."""
    return [_as_words(call.arguments) for call in heard.calls] == [_as_words(due["arguments"])]


def _as_words(arguments: Any) -> dict[str, str]:
    return {
        name: (value if isinstance(value, str) else json.dumps(value)).strip().casefold()
        for name, value in arguments.items()
    }
