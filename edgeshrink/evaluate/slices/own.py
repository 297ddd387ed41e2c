"""A person's own items, from JSONL files (see own_items.py): one slice a file, judged by the scorer that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from edgeshrink.evaluate.answers import answered
from edgeshrink.evaluate.own_items import LinesAt, OwnLine, own_line
from edgeshrink.evaluate.probes import Answer, Choose, Chosen, Probe, Prompt, Refused, Said
from edgeshrink.evaluate.scorers.choice import preferred, weighed
from edgeshrink.evaluate.scorers.registry import CHOICE, scorer
from edgeshrink.evaluate.slices.interface import Answered, Item, MetricFacts, Score, Settings, Shown, SliceFacts
from edgeshrink.evaluate.slices.thoughts import without_thoughts

NAME = "own"
OPTIONS = ("files",)
_OPTIONS = ("scorer", "folder", "ignore_case", "graded", "per")
_RIGHT = MetricFacts("right", "share")
_GRADE = MetricFacts("score", "mean", unit="points")


def slices(settings: Settings) -> tuple[SliceFacts, ...]:
    return tuple(
        SliceFacts(
            _name(table),
            f"Your own items: {Path(table['file']).name}",
            (_GRADE, _RIGHT) if table.get("graded") else (_RIGHT,),
            None if table.get("graded") else float(table["chance"]),
        )
        for table in _tables(settings)
    )


def why_not(settings: Settings) -> str:
    if settings.options.get("files"):
        return "all items are chats, and the reference has no chat template"
    return "the suite names no file of items"


def items(settings: Settings, random: Random, count: int) -> Iterator[Item]:
    """In an order that the seed makes, a line of each file in turn; later rounds go on where earlier ones stopped."""
    orders = [_ordered(table, settings) for table in _tables(settings)]
    yield from islice(_in_turn(orders), settings.before, settings.before + count)


def score(item: Item, reference: Sequence[Answer], candidate: Sequence[Answer]) -> Iterator[Score]:
    """Nothing where the reference could not be asked: that says nothing about the candidate."""
    facts = item.facts
    if isinstance(reference[0], Refused):
        return
    said = (_said(reference[0], facts), _said(candidate[0], facts))
    values = (_value(reference[0], said[0], facts), _value(candidate[0], said[1], facts))
    rights = (float(values[0] >= 0.5), float(values[1] >= 0.5))
    graded = {_GRADE.name: values} if facts["options"].get("graded") else {}
    yield Score(
        slice=facts["slice"],
        item=item.id,
        values={**graded, _RIGHT.name: rights},
        shown=Shown(_shown(item.probes[0].prompt), _expected(facts["expected"]), *said),
        parts=tuple(facts["parts"]),
        answered=(_answered(reference[0], rights[0], facts), _answered(candidate[0], rights[1], facts)),
    )


def _tables(settings: Settings) -> Iterator[Mapping[str, Any]]:
    """Those that can be asked."""
    return (
        table for table in settings.options.get("files", ()) if settings.chat or int(table["chats"]) < table["lines"]
    )


def _name(table: Mapping[str, Any]) -> str:
    return f"{NAME}/{table['name']}"


def _in_turn(orders: Sequence[Iterator[Item]]) -> Iterator[Item]:
    rest = list(orders)
    while rest:
        for one in tuple(rest):
            item = next(one, None)
            if item is None:
                rest.remove(one)
            else:
                yield item


def _ordered(table: Mapping[str, Any], settings: Settings) -> Iterator[Item]:
    lines = LinesAt(Path(table["file"]))
    order = list(range(len(lines)))
    Random(f"{settings.seed}-{_name(table)}").shuffle(order)
    for number, data in lines.pick(order):
        line = own_line(data, table, number)
        if settings.chat or not line.messages:
            yield _item(line, table, number, chat=settings.chat)


def _item(line: OwnLine, table: Mapping[str, Any], number: int, *, chat: bool) -> Item:
    prompt = line.asked(chat=chat)
    probe: Probe
    if line.scorer == CHOICE:
        probe = Choose(prompt, tuple(_behind(prompt, choice) for choice in line.choices))
    else:
        probe = line.written(chat=chat)
    facts: dict[str, Any] = {
        "slice": _name(table),
        "scorer": line.scorer,
        "expected": line.expected,
        "choices": list(line.choices),
        "parts": list(line.parts),
        "options": {key: table[key] for key in _OPTIONS if table.get(key) is not None},
    }
    if line.scorer == CHOICE:
        facts["oracle"] = [line.choices.index(line.expected)]
    elif line.scorer in ("exact", "contains"):
        facts["oracle"] = [line.expected[0] if isinstance(line.expected, list) else line.expected]
    return Item(f"{table['name']}-{number}", (probe,), facts)


def _behind(prompt: Prompt, choice: str) -> str:
    """A choice that continues plain text is a word of its own."""
    apart = prompt.messages or prompt.text[-1:].isspace() or choice[:1].isspace()
    return choice if apart else f" {choice}"


def _said(answer: Answer, facts: Mapping[str, Any]) -> str:
    match answer:
        case Said():
            return answer.text
        case Chosen():
            choices = facts["choices"]
            return str(choices[preferred(answer, choices, facts["options"].get("per", "option"))])
        case Refused():
            return f"(no answer: {answer.reason})"


def _answered(answer: Answer, right: float, facts: Mapping[str, Any]) -> Answered:
    """As sure as the comparison is that chose the option."""
    if isinstance(answer, Chosen):
        answer = weighed(answer, facts["choices"], facts["options"].get("per", "option"))
    return answered(answer, bool(right))


def _value(answer: Answer, said: str, facts: Mapping[str, Any]) -> float:
    if isinstance(answer, Refused):
        return 0.0
    return scorer(facts["scorer"]).score(without_thoughts(said), facts["expected"], facts["options"])


def _shown(prompt: Prompt) -> str:
    return prompt.text or "\n".join(f"{one['role']}: {one.get('content') or ''}" for one in prompt.messages)


def _expected(expected: Any) -> str:
    return expected if isinstance(expected, str) else str(expected)
