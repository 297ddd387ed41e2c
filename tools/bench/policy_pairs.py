"""Near misses for tool_policy.py, made from a seed: questions that need a tool, and what only looks like one.

Of three kinds: tools that the demo model was trained to call, in words that no suite asks; tools that it has never
seen; and passages that hold an answer or do not, which it was never taught to tell. A question stands in one pair only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice, product
from pathlib import Path
from random import Random
from typing import Any

from edgeshrink.evaluate.slices.words.holdout import held_out
from edgeshrink.evaluate.slices.words.tool_catalog import REMARK_REPLY, TOOLS, Tool

Pair = tuple[dict[str, Any], dict[str, Any]]
"""In the first case a call is due, or the passage holds the answer; in the second not."""


_PLACES = ("the garage", "the cellar", "the hall", "the barn", "the attic", "the workshop", "the stairs", "the yard")
_NAMES = ("Nadia", "Oscar", "Wanda", "Felix", "Ruth", "Viktor", "Dora", "Hugo", "Lena", "Emil", "Iris", "Jonas")
_THINGS = ("kite", "violin", "anchor", "lantern", "saddle", "compass", "basket", "shovel", "trumpet", "blanket")
_LINES = ("line 4", "line 9", "line 12", "line 21", "line 30", "line 33", "line 47", "line 58")
_SONGS = ("Blue Door", "Old Harbour", "Paper Moon", "Slow Train", "Red Field", "Last Snow", "Tall Grass", "Low Tide")
_PLANTS = ("the roses", "the tomatoes", "the fern", "the lemon tree", "the mint", "the ivy", "the palm", "the beans")

NEW_TOOLS = (
    Tool("switch_lamp", "Switch a lamp on or off", "place", "lamps", _PLACES,
         ("Turn the lamp on in {}.", "It is dark in {}, light please.", "Switch off the lamp in {}.", "Light up {}."),
         ("The lamp in {} is new.", "I painted the lamp in {}.", "We had dinner under the lamp in {}.")),
    Tool("call_person", "Call somebody on the phone", "person", "phone calls", _NAMES,
         ("Call {} now.", "Ring {} for me.", "I need to speak to {} on the phone.", "Please phone {}."),
         ("{} called me this morning.", "{} has a new phone.", "I spoke to {} last week.")),
    Tool("find_thing", "Find a thing that was lost", "thing", "lost things", _THINGS,
         ("Where did I put the {}?", "Find my {}.", "I cannot find the {}, look for it.", "Locate the {} please."),
         ("I found the {} again.", "The {} was never lost.", "My {} is very old.")),
    Tool("bus_times", "When a bus comes", "line", "buses", _LINES,
         ("When does {} come?", "How long until {} is here?", "Is {} late today?", "Tell me the next {}."),
         ("I took {} to work.", "{} was full again.", "My aunt drives {}.")),
    Tool("play_song", "Play a song", "song", "music", _SONGS,
         ("Play {}.", "Put {} on.", "I want to hear {}.", "Start {} please."),
         ("{} is a sad song.", "We danced to {}.", "My brother sang {} at school.")),
    Tool("water_plants", "Water plants in the garden", "plant", "plants", _PLANTS,
         ("Water {}.", "Give {} some water.", "{} need water, do it.", "Can you water {} today?"),
         ("{} grew well this year.", "I bought {} on Monday.", "My mother loves {}.")),
)  # fmt: skip
REMARK = "Good to know."


def new_pairs(random: Random) -> Iterator[Pair]:
    """Of tools that the demo model has never seen."""
    return _tool_pairs(random, NEW_TOOLS, REMARK, lambda *_: True)


def known_pairs(random: Random) -> Iterator[Pair]:
    """Of the tools that the demo model was trained on, in phrases that are never asked in tests."""
    return _tool_pairs(random, TOOLS, REMARK_REPLY, lambda *words: not held_out("tool", *words))


def _tool_pairs(
    random: Random, tools: Sequence[Any], remark: str, allowed: Callable[[str, str, str], bool]
) -> Iterator[Pair]:
    """One for each question that there is: met with its tool and without it, or beside a remark."""
    asked = [(tool, question, value) for tool in tools for question, value in product(tool.questions, tool.values)]
    asked = [(tool, question, value) for tool, question, value in asked if allowed(tool.name, question, value)]
    random.shuffle(asked)
    remarks = {tool.name: _remarks(random, tool, allowed) for tool in tools}
    for tool, question, value in asked:
        call = {"tool_calls": [{"function": {"name": tool.name, "arguments": {tool.argument: value}}}]}
        due = _case(question.format(value), tool, call)
        if random.random() < 0.5:
            other = random.choice([one for one in tools if one is not tool])
            yield due, _case(question.format(value), other, f"Sorry, I have no tool for {tool.topic}.")
            continue
        yield due, _case(next(remarks[tool.name]), tool, remark)


def _remarks(random: Random, tool: Any, allowed: Callable[[str, str, str], bool]) -> Iterator[str]:
    """Each once, then all again."""
    said = [one.format(what) for one, what in product(tool.remarks, tool.values) if allowed(tool.name, one, what)]
    return cycle(random.sample(said, len(said)))


def passage_pairs(random: Random) -> Iterator[Pair]:
    """A question of somebody whom the passage speaks of, and of somebody it does not."""
    asked = list(product(_NAMES, _THINGS, ("keeps", "sells", "paints", "mends")))
    random.shuffle(asked)
    for name, thing, verb in asked:
        others = random.sample([one for one in _NAMES if one != name], 2)
        things = random.sample([one for one in _THINGS if one != thing], 2)
        rest = [f"{one} {verb} the {another}." for one, another in zip(others, things, strict=True)]
        question = f"What does {name} {verb[:-1]}?"
        held = random.sample([f"{name} {verb} the {thing}.", rest[0]], 2)
        yield (
            {"question": question, "passage": " ".join(held), "answer": f"{name} {verb} the {thing}."},
            {"question": question, "passage": " ".join(rest), "answer": None},
        )


KINDS: Mapping[str, Callable[[Random], Iterator[Pair]]] = {
    "known tools": known_pairs,
    "new tools": new_pairs,
    "passages": passage_pairs,
}


def write_pairs(file: Path, kinds: Sequence[str], *, pairs: int, seed: int) -> Path:
    """So many of each of `kinds`, as cases, a line each."""
    with file.open("w", encoding="utf-8") as out:
        for kind in kinds:
            for number, pair in enumerate(islice(KINDS[kind](Random(f"policy/{kind}/{seed}")), pairs)):
                for case in pair:
                    out.write(json.dumps({**case, "pair": f"{kind} {number}"}) + "\n")
    return file


def _case(said: str, offered: Any, answer: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": said}], "tools": [offered.function], "answer": answer}
