"""Families with settings that let each of them ask, and models that answer by script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeshrink.evaluate.asking import items_of
from edgeshrink.evaluate.probes import TEMPERATURES, Answer, Choose, Chosen, Probe, Refused, Said
from edgeshrink.evaluate.slices.interface import AskingFamily, Item, Settings
from edgeshrink.evaluate.slices.registry import ASKING, asking
from edgeshrink.evaluate.suite_files import load_suite

COUNT = 24
SURE = (0.0,) * len(TEMPERATURES)
NEST = "[" * 3000
GARBAGE = (
    "",
    "\x00\x1b[31m\u202e \ufffd",
    '{"name": ' + NEST,
    "no no no no " * 400,
    "<tool_call>" * 50,
    "82" * 5000,
)
"""What a broken model says. It is never an answer, but where none is wanted."""


def options(folder: Path) -> dict[str, dict[str, Any]]:
    """What a suite must name for the families that read files, in files of those forms."""
    plans: dict[str, dict[str, Any]] = {}
    for file in (_own(folder), *_bfcl(folder)):
        for plan in load_suite(file.name, folder=folder).asking:
            found = plans.setdefault(plan.family, {})
            for name, value in plan.options.items():
                found[name] = [*found[name], *value] if name in found else value
    return plans


def settings(chat: bool, context: int, given: dict[str, Any]) -> Settings:
    return Settings(chat=chat, context=context, characters_per_token=2.6, options=given)


def items_by(family: AskingFamily, known: Settings, *, seed: int = 1, round: int = 0, count: int = COUNT) -> list[Item]:
    """None where the family fills nothing: such a one is never asked."""
    return list(items_of(family, known, seed=seed, round=round, count=count)) if family.slices(known) else []


def digests(given: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """The ids of some items of every family: they hold a digest of what is asked."""
    known = {name: settings(True, 512, given.get(name, {})) for name in ASKING}
    return {name: [item.id for item in items_by(asking(name), known[name], count=8)] for name in ASKING}


def _own(folder: Path) -> Path:
    lines = []
    for number in range(20):
        chat = [{"role": "user", "content": f"Say {number}."}]
        lines += [
            {"messages": chat, "expected": str(number), "scorer": "exact"},
            {"prompt": f"After {number} comes", "expected": str(number + 1), "scorer": "contains"},
            {"prompt": f"{number} is", "expected": "few", "choices": ["few", "many"], "scorer": "choice"},
        ]
    return _written(folder / "mine.jsonl", lines)


def _bfcl(folder: Path) -> tuple[Path, Path]:
    parameters = {"type": "dict", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    function = {"name": "weather.now", "description": "The weather in a city", "parameters": parameters}
    questions, answers = [], []
    for number in range(30):
        asked = [[{"role": "user", "content": f"How is the weather in city {number}?"}]]
        questions.append({"id": f"simple_python_{number}", "question": asked, "function": [function]})
        wanted = [{"weather.now": {"city": [f"city {number}"]}}]
        answers.append({"id": f"simple_python_{number}", "ground_truth": wanted})
    other = [
        {**one, "id": f"irrelevance_{number}", "question": [[{"role": "user", "content": f"What is {number}?"}]]}
        for number, one in enumerate(questions)
    ]
    (folder / "possible_answer").mkdir(exist_ok=True)
    _written(folder / "possible_answer" / "BFCL_v4_simple_python.json", answers)
    return (
        _written(folder / "BFCL_v4_simple_python.json", questions),
        _written(folder / "BFCL_v4_irrelevance.json", other),
    )


def _written(file: Path, lines: Sequence[Any]) -> Path:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def oracle(item: Item) -> list[Answer]:
    """Answers everything as the item's facts say."""
    return [_told(probe, right) for probe, right in zip(item.probes, item.facts["oracle"], strict=True)]


def _told(probe: Probe, right: Any) -> Answer:
    if isinstance(probe, Choose):
        return Chosen(tuple(-0.1 if index == right else -9.0 for index in range(len(probe.options))), (1,) * 2)
    ends = "stop text" if probe.stop and not probe.prompt.messages else "stop token"
    return Said(str(right), len(str(right)), ends, (), SURE)  # type: ignore[arg-type]


def broken(item: Item, kind: int) -> list[Answer]:
    """The `kind`-th kind of a model that says the wrong thing, the same to every probe of an item."""
    return [_garbage(item, index, kind) for index in range(len(item.probes))]


KINDS = len(GARBAGE) + 3


def _garbage(item: Item, index: int, kind: int) -> Answer:
    probe = item.probes[index]
    if kind == len(GARBAGE):
        return Refused("it does not fit the context")
    if isinstance(probe, Choose):
        right = item.facts.get("oracle", [0] * len(item.probes))[index]
        return Chosen(tuple(-9.0 if at == right else -0.1 for at in range(len(probe.options))), (1,) * 2)
    if kind < len(GARBAGE):
        return Said(GARBAGE[kind], 10, "limit", ("<|user|>",), SURE)
    tool = probe.prompt.tools[0] if probe.prompt.tools else {"name": "none"}
    name = tool.get("function", tool)["name"]
    if kind == len(GARBAGE) + 1:  # a call, whatever was asked
        return Said(json.dumps({"name": name, "arguments": {"of": NEST}}), 10, "stop token", (), SURE)
    return Said("I'm sorry, but I can't help with that." + " So I will not." * index, 10, "stop token", (), SURE)
