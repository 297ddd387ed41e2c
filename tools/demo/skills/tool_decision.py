"""Deciding between a plain answer and a JSON tool call, over near-miss pairs.

The same question is met with and without its tool in the system message, and the same tool with a question and
with a remark that only sounds like one; so neither the question nor the offer alone decides.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from edgeshrink.evaluate.slices.words.tool_catalog import REMARK_REPLY, SMALL_TALK, TOOLS, Tool
from tools.demo.chat import END, ask, system
from tools.demo.samples import Item, answer

KINDS = {"call": 5, "missing": 3, "remark": 2, "small talk": 1}
"""What happens in a turn, and how often: the tool is there; it is not there; nothing is asked; small talk."""
Turn = tuple[str, str]
"""What the user says, what the assistant answers."""


def offer(tools: Sequence[Tool]) -> str:
    """The system message: name, description and arguments of each tool."""
    listed = [{"name": tool.name, "description": tool.description, "arguments": [tool.argument]} for tool in tools]
    return f"Tools: {json.dumps(listed)}"


def _turn(rng: random.Random, kind: str, offered: Sequence[Tool], testing: bool) -> Turn:
    if kind == "small talk":
        return rng.choice(SMALL_TALK)
    if kind == "missing":
        tool = rng.choice([tool for tool in TOOLS if tool not in offered])
        return tool.question(rng, testing=testing)[0], tool.refusal
    tool = rng.choice(offered)
    if kind == "remark":
        return tool.remark(rng, testing=testing), REMARK_REPLY
    said, value = tool.question(rng, testing=testing)
    return said, tool.call(value)


def _kind(rng: random.Random) -> str:
    return rng.choices(tuple(KINDS), tuple(KINDS.values()))[0]


def sample(rng: random.Random) -> str:
    """A chat of a few turns, so that one offer serves many decisions; now and then with no tools at all."""
    offered = rng.sample(TOOLS, rng.randint(1, 3))
    kinds = [_kind(rng) for _ in range(rng.randint(1, 6))]
    head = system(offer(offered))
    if rng.random() < 0.1:
        offered, head, kinds = [], "", ["small talk" if kind != "call" else "missing" for kind in kinds]
    turns = [_turn(rng, kind, offered, testing=False) for kind in kinds]
    return head + "".join(ask(said) + answer(reply + END) for said, reply in turns)


def item(rng: random.Random) -> Item:
    offered = rng.sample(TOOLS, rng.randint(1, 3))
    kind = _kind(rng)
    said, reply = _turn(rng, kind, offered, testing=True)
    return Item(system(offer(offered)) + ask(said), reply + END, kind)


def near_miss_pair(rng: random.Random) -> tuple[Item, Item]:
    """The same question twice: once with its tool offered, once with another one in its place."""
    wanted, other, third = rng.sample(TOOLS, 3)
    said, value = wanted.question(rng, testing=True)
    with_tool = rng.sample([wanted, third], 2)
    without = [other if tool is wanted else tool for tool in with_tool]
    return (
        Item(system(offer(with_tool)) + ask(said), wanted.call(value) + END, "call"),
        Item(system(offer(without)) + ask(said), wanted.refusal + END, "missing"),
    )
