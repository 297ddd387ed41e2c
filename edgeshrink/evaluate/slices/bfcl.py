"""Sets of the Berkeley Function Calling Leaderboard, read as they are published: a slice `bfcl/<set>` for each file.

Sets of one turn in Python are asked: simple, multiple, parallel, live, (ir)relevance. A set called "irrelevance" wants
no call, one called "relevance" any call. Options: `files`; `max_tokens` of an answer (default 160); `system`, words
for a model that has to be told how to call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from edgeshrink.evaluate.probes import Answer, Generate, Prompt, Refused
from edgeshrink.evaluate.slices.bfcl_files import BfclSet, Question, bfcl_set, questions
from edgeshrink.evaluate.slices.bfcl_rules import judge_calls, tool_of
from edgeshrink.evaluate.slices.interface import Item, Score, Settings, SliceFacts
from edgeshrink.evaluate.slices.options import whole
from edgeshrink.evaluate.slices.rights import RIGHT, task_score, words
from edgeshrink.evaluate.slices.tool_calls import hear

NAME = "bfcl"
OPTIONS = ("files", "sha256", "system", "max_tokens")
_MAX_TOKENS = 160
_MANY = 8


def slices(settings: Settings) -> tuple[SliceFacts, ...]:
    """Where no call is wanted, a model that never calls is always right, so that says little: chance is 0.5."""
    if not settings.chat:
        return ()
    return tuple(
        SliceFacts(f"bfcl/{one.name}", f"BFCL {one.name}", (RIGHT,), 0.0 if one.wants == "these calls" else 0.5)
        for one in _sets(settings)
    )


def why_not(settings: Settings) -> str:
    return "the suite names no files of BFCL" if settings.chat else "the reference has no chat template"


def items(settings: Settings, random: Random, count: int) -> Iterator[Item]:
    """Lines in an order that the seed makes; later rounds go on where earlier ones stopped."""
    limit = whole(settings, NAME, "max_tokens", _MAX_TOKENS, 1, 100_000)
    every = questions(_sets(settings) if settings.chat else [], settings.seed)
    for question in islice(every, settings.before, settings.before + count):
        yield _item(question, settings.options.get("system"), limit)


def score(item: Item, reference: Sequence[Answer], candidate: Sequence[Answer]) -> Iterator[Score]:
    """Nothing where the reference could not be asked: that says nothing about the candidate."""
    if isinstance(reference[0], Refused):
        return
    answers = (reference[0], candidate[0])
    right = (fault(item, answers[0]) is None, fault(item, answers[1]) is None)
    offered = len(item.facts["functions"])
    many = f"{offered} tools offered" if offered < _MANY else f"{_MANY} or more tools offered"
    yield task_score(f"bfcl/{item.facts['set']}", item, answers, right, parts=() if offered == 1 else (many,))


def fault(item: Item, answer: Answer) -> str | None:
    """What is wrong with an answer to `item`, or None."""
    if isinstance(answer, Refused):
        return "no answer"
    facts = item.facts
    calls = hear(words(answer), {function["name"] for function in facts["functions"]}).calls
    if facts["wants"] == "no call":
        return "a call where none is due" if calls else None
    if facts["wants"] == "a call" or not calls:
        return None if calls else "no call"
    return judge_calls(facts["functions"], facts["wanted"], calls)


def _sets(settings: Settings) -> list[BfclSet]:
    folder = settings.folder or Path()
    return [bfcl_set(folder / file) for file in settings.options.get("files", ())]


def _item(question: Question, system: Any, limit: int) -> Item:
    opening = ({"role": "system", "content": str(system)},) if system else ()
    prompt = Prompt(messages=(*opening, *question.messages), tools=tuple(map(tool_of, question.functions)))
    facts = {
        "set": question.set.name,
        "wants": question.set.wants,
        "functions": list(question.functions),
        "wanted": list(question.wanted),
        "expected": json.dumps(question.wanted, ensure_ascii=False) if question.wanted else question.set.wants,
        "oracle": [_right(question)],
    }
    return Item(question.id, (Generate(prompt, limit),), facts)


def _right(question: Question) -> str:
    """One answer that is right."""
    if question.set.wants == "no call":
        return "None of the tools can do that."
    wanted = question.wanted or ({question.functions[0]["name"]: {}},)
    calls = [(name, arguments) for each in wanted for name, arguments in each.items()]
    return json.dumps([{"name": name, "arguments": _first_values(arguments)} for name, arguments in calls])


def _first_values(taken: Mapping[str, Any]) -> dict[str, Any]:
    """Of each argument the first value that is taken; what need not be there is left out. In a value that is an object
    (or a list of some) each key has a list of values again, one level deep."""
    firsts = {name: next((one for one in values if one != ""), "") for name, values in taken.items()}
    return {name: _whole(first) for name, first in firsts.items() if first != ""}


def _whole(value: Any) -> Any:
    if isinstance(value, dict) and all(isinstance(one, list) for one in value.values()):
        return {
            key: next((one for one in values if one != ""), "") for key, values in value.items() if "" not in values
        }
    return [_whole(one) if isinstance(one, dict) else one for one in value] if isinstance(value, list) else value
