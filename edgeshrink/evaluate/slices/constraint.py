"""Rules that the system message states once and that must still hold much later.

The offer of tools is such a rule: behind many turns, what was offered is called and what was not is declined. The
second slice asks the same of an instruction in plain language, behind a long text; small models know no such thing, and
then nothing is claimed. Option: `kinds`, of "tools" and "words" (default both, asked in turn).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random

from edgeshrink.evaluate.probes import Answer, Generate, Prompt, Refused
from edgeshrink.evaluate.slices import notes
from edgeshrink.evaluate.slices.interface import Item, Score, Settings, SliceFacts
from edgeshrink.evaluate.slices.options import several
from edgeshrink.evaluate.slices.rights import RIGHT, assistant, task_score, user, words
from edgeshrink.evaluate.slices.tool_calls import hear
from edgeshrink.evaluate.slices.words.tool_catalog import REMARK_REPLY, SMALL_TALK, TOOLS, Tool

NAME = "constraint"
OPTIONS = ("kinds",)
TOOLS_SLICE = SliceFacts("long-context/constraint", "Tools offered once, many turns ago", (RIGHT,), chance=0.5)
WORDS_SLICE = SliceFacts(
    "long-context/instruction", "An instruction given once, before a long text", (RIGHT,), chance=0.0
)
KINDS = {"tools": TOOLS_SLICE, "words": WORDS_SLICE}
CLOSINGS = ("Over", "Amen", "Roger", "Hooray", "Done", "Basta", "Cheers", "Banana")
TURNS = (1, 2, 4, 8, 16, 32, 64)
"""At most so many between the rule and the question, as far as they fit the context."""
_OFFERED = 2
MAX_TOKENS = {"tools": 48, "words": 128}
_SYSTEM_CHARACTERS = 320
_TURN_CHARACTERS = 48
"""What a template may write round one turn."""
Turn = tuple[str, str]


def slices(settings: Settings) -> tuple[SliceFacts, ...]:
    return tuple(KINDS[kind] for kind in _kinds(settings)) if settings.chat else ()


def why_not(settings: Settings) -> str:
    return "" if settings.chat else "the model has no chat template, so there is no system message to state a rule in"


def _kinds(settings: Settings) -> tuple[str, ...]:
    kinds = several(settings, NAME, "kinds", tuple(KINDS), lambda kind: kind in list(KINDS))
    return tuple(dict.fromkeys(kinds))


def items(settings: Settings, random: Random, count: int) -> Iterator[Item]:
    kinds = _kinds(settings)
    makers = {"tools": _tools_item, "words": _words_item}
    for number in range(count):
        yield makers[kinds[number % len(kinds)]](f"{number}", settings, random)


def _tools_item(name: str, settings: Settings, random: Random) -> Item:
    offered = random.sample(TOOLS, _OFFERED)
    other = [tool for tool in TOOLS if tool not in offered]
    turns = _turns(settings, random, offered, other)
    calling = random.random() < 0.5
    asked = random.choice(offered if calling else other)
    question, value = asked.question(random, testing=True)
    expected = asked.call(value) if calling else asked.refusal
    between = [message for said, reply in turns for message in (user(said), assistant(reply))]
    prompt = Prompt((*between, user(question)), tools=tuple(tool.function for tool in offered))
    facts = {
        "kind": "tools",
        "expected": expected,
        "oracle": [expected],
        "call": asked.name if calling else None,
        "offered": [tool.name for tool in offered],
        "parts": [_part(len(turns)), "a tool is due" if calling else "no tool is due"],
    }
    return Item(name, (Generate(prompt, MAX_TOKENS["tools"]),), facts)


def _between(random: Random, offered: Sequence[Tool], other: Sequence[Tool]) -> Turn:
    """A turn that calls nothing."""
    kind = random.choice(("remark", "missing", "small talk"))
    if kind == "remark":
        return random.choice(offered).remark(random, testing=True), REMARK_REPLY
    if kind == "missing":
        tool = random.choice(other)
        return tool.question(random, testing=True)[0], tool.refusal
    return random.choice(SMALL_TALK)


def _turns(settings: Settings, random: Random, offered: Sequence[Tool], other: Sequence[Tool]) -> list[Turn]:
    room = settings.characters - _SYSTEM_CHARACTERS
    turns: list[Turn] = []
    for _ in range(random.choice(TURNS)):
        said, reply = _between(random, offered, other)
        room -= len(said) + len(reply) + _TURN_CHARACTERS
        if room < 0:
            break
        turns.append((said, reply))
    return turns


def _part(turns: int) -> str:
    """The name of the part with so many turns: 0, 1, 2, 3-4, 5-8 ..."""
    high = 1 << max(0, turns - 1).bit_length()
    low = high // 2 + 1
    if turns <= 1:
        return "1 turn between" if turns else "0 turns between"
    return f"{low}-{high} turns between" if low < high else f"{high} turns between"


def _words_item(name: str, settings: Settings, random: Random) -> Item:
    closing = random.choice(CLOSINGS)
    said, reply = random.choice(SMALL_TALK)
    characters, long = notes.length(random, settings)
    text = notes.filling(random, characters, [], [1.0])
    rule = {"role": "system", "content": f"End every answer with the word {closing}."}
    expected = f"{reply} {closing}."
    facts = {
        "kind": "words",
        "expected": expected,
        "oracle": [expected],
        "closing": closing,
        "parts": [f"length {long}"],
    }
    return Item(name, (Generate(Prompt((rule, user(f"{text}\n{said}"))), MAX_TOKENS["words"]),), facts)


def score(item: Item, reference: Sequence[Answer], candidate: Sequence[Answer]) -> Iterator[Score]:
    """Nothing where the reference could not be asked: that says nothing about the candidate."""
    if isinstance(reference[0], Refused):
        return
    answers = (reference[0], candidate[0])
    right = (_right(item, answers[0]), _right(item, answers[1]))
    yield task_score(KINDS[item.facts["kind"]].name, item, answers, right, parts=item.facts["parts"])


def _right(item: Item, answer: Answer) -> bool:
    text = words(answer)
    if item.facts["kind"] == "words":
        return bool(re.search(rf"\b{re.escape(item.facts['closing'])}\W*\Z", text, re.IGNORECASE))
    heard = hear(text, item.facts["offered"])
    if item.facts["call"] is None:
        return bool(text.strip()) and not heard.opened
    return [call.name for call in heard.calls] == [item.facts["call"]]
