"""Chats with tools on offer: near-miss pairs, which neither the question alone nor the offer alone decides.

Either the same question is met with its tool and without it (another one in its place), or the same tool is met with a
question and with a remark that only sounds like one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Literal

from edgeshrink.evaluate.probes import Message
from edgeshrink.evaluate.slices.rights import assistant, user
from edgeshrink.evaluate.slices.words.filler import passage
from edgeshrink.evaluate.slices.words.tool_catalog import REMARK_REPLY, SMALL_TALK, TOOLS, Tool
from edgeshrink.runtimes.tool_offers import with_offer

_ASIDE = 160
"""Characters of a question, its answer and the template round them."""
_STORY = "Continue the story: "
_SHORTEST_STORY = 80
_SMALL_TURNS = 3
Turn = tuple[str, str]
"""What the user says, and what the assistant answers."""


@dataclass(frozen=True, slots=True)
class ToolChat:
    """`call`: the tool that is due and its argument's value, or None. `filled`: share of the room that offer and
    earlier turns take, as planned."""

    kind: Literal["question", "no such tool", "remark"]
    offered: tuple[Tool, ...]
    earlier: tuple[Turn, ...]
    said: str
    reply: str
    call: tuple[Tool, str] | None
    filled: float

    @property
    def messages(self) -> tuple[Message, ...]:
        turns = (turn for said, reply in self.earlier for turn in (user(said), assistant(reply)))
        return (*turns, user(self.said))


def pairs(
    random: Random, counts: Sequence[int], fills: Sequence[float], room: int
) -> Iterator[tuple[ToolChat, ToolChat]]:
    """Without end: in each pair a call is due in the first chat and not in the second. All combinations of how many
    tools are offered (of `counts`) and how full the chat is (of `fills`, shares of `room` characters) take turns."""
    while True:
        plans = list(product((True, False), counts, fills))
        random.shuffle(plans)
        for missing, count, filled in plans:
            yield _pair(random, count, filled, room, missing=missing)


def _pair(random: Random, count: int, filled: float, room: int, *, missing: bool) -> tuple[ToolChat, ToolChat]:
    wanted, other, *rest = random.sample(TOOLS, len(TOOLS))
    offered = random.sample([wanted, *rest[: count - 1]], count)
    earlier = tuple(_earlier(random, rest[: count - 1], rest[count - 1 :], int(filled * room) - offer_length(offered)))
    said, value = wanted.question(random, testing=True)
    due = ToolChat("question", tuple(offered), earlier, said, wanted.call(value), (wanted, value), filled)
    if missing:
        without = tuple(other if tool is wanted else tool for tool in offered)
        return due, ToolChat("no such tool", without, earlier, said, wanted.refusal, None, filled)
    remark = wanted.remark(random, testing=True)
    return due, ToolChat("remark", due.offered, earlier, remark, REMARK_REPLY, None, filled)


def _earlier(random: Random, here: Sequence[Tool], away: Sequence[Tool], characters: int) -> Iterator[Turn]:
    """Turns of about so many characters in which nothing is called: a story, and then a few about tools that stay on
    offer in both chats of a pair, and such as are in neither."""
    turns = [_small_turn(random, here, away) for _ in range(random.randint(1, _SMALL_TURNS))]
    characters -= sum(len(said) + len(reply) for said, reply in turns)
    if characters > _SHORTEST_STORY:
        text = passage(random, characters - len(_STORY))
        middle = text.find(" ", len(text) // 2)
        yield _STORY + text[:middle], text[middle:].strip()
    yield from turns if characters > 0 else ()


def _small_turn(random: Random, here: Sequence[Tool], away: Sequence[Tool]) -> Turn:
    kind = random.choice(("small talk", *(["remark"] if here else []), *(["no such tool"] if away else [])))
    if kind == "small talk":
        return random.choice(SMALL_TALK)
    if kind == "remark":
        return random.choice(here).remark(random, testing=True), REMARK_REPLY
    tool = random.choice(away)
    return tool.question(random, testing=True)[0], tool.refusal


def offer_length(offered: Sequence[Tool]) -> int:
    """Characters of the system message for a template that knows no tools."""
    return len(with_offer((), [tool.function for tool in offered])[0]["content"])


def counts_that_fit(counts: Sequence[int], room: int) -> tuple[int, ...]:
    """How many tools can be offered: those of `counts` that leave room for a question; the smallest in any case."""
    longest = sorted((offer_length([tool]) for tool in TOOLS), reverse=True)
    possible = sorted({count for count in counts if 1 <= count < len(TOOLS)})
    fitting = tuple(count for count in possible if sum(longest[:count]) + _ASIDE <= room)
    return fitting or tuple(possible[:1])
