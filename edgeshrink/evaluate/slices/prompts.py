"""Whether a model keeps its answer when the prompt changes in a way that should not matter.

The same question twice: plainly, and with other blanks, its examples or facts in another order, or in other words.
What is counted first is agreement, right or wrong; an answer in which nothing can be read agrees with none. Without a
chat nothing is said in other words.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from edgeshrink.evaluate.probes import Answer, Generate, Message, Prompt, Refused
from edgeshrink.evaluate.slices import arithmetic, notes
from edgeshrink.evaluate.slices.arithmetic import Problem
from edgeshrink.evaluate.slices.interface import Item, MetricFacts, Score, Settings, Shown, SliceFacts
from edgeshrink.evaluate.slices.rights import RIGHT, asked, assistant, seen, user, words
from edgeshrink.evaluate.slices.words.filler import passage

NAME = "prompts"
OPTIONS: tuple[str, ...] = ()
SLICE = "stability/prompts"
AGREEMENT = MetricFacts("agreement", "share")
SLICES = (SliceFacts(SLICE, "The same answer when the prompt changes harmlessly", (AGREEMENT, RIGHT), chance=0.0),)
"""A model whose answers cannot be read agrees with itself in nothing: nothing is claimed of it."""

_WORDS = tomllib.loads(Path(__file__).with_name("words").joinpath("rewordings.toml").read_text(encoding="utf-8"))
_SUM, _RECALL = _WORDS["sum"], _WORDS["recall"]
_LINE_ENDS = ("\n\n", " \n", "\n ")
"""Between worked examples, in place of a line's end."""
_FORM = "{note}\n{text}\n{question}"
_OTHERS = 4
_TEXT_CHARACTERS = 300
SPACING, ORDER, PARAPHRASE = "spacing", "order", "paraphrase"
Made = tuple[tuple[Generate, Generate], dict[str, Any]]
"""The plain question and the changed one, and what scoring needs."""


def slices(settings: Settings) -> tuple[SliceFacts, ...]:
    return SLICES


def why_not(settings: Settings) -> str:
    return ""


def items(settings: Settings, random: Random, count: int) -> Iterator[Item]:
    changes = (SPACING, ORDER, PARAPHRASE) if settings.chat else (SPACING, ORDER)
    makers = (_sum_in_chat, _recall) if settings.chat else (_sum_in_lines, _recall)
    for number in range(count):
        change = random.choice(changes)
        probes, facts = random.choice(makers)(settings, random, change)
        yield Item(f"{number}", probes, {**facts, "oracle": [facts["expected"]] * 2, "parts": [change]})


def _sum_in_chat(settings: Settings, random: Random, change: str) -> Made:
    a, _, b = problem = arithmetic.draw(random, "+", 2, testing=True)
    plain, *others = _SUM["paraphrases"]
    told = changed_told = _examples(random) if change == ORDER else []
    changed = plain
    if change == ORDER:
        changed_told = told[1:] + told[:1]
    else:
        changed = random.choice(_SUM["spacing"] if change == SPACING else others)

    def probe(examples: Sequence[Problem], question: str) -> Generate:
        turns: list[Message] = []
        for example in examples:
            turns += [user(plain.format(a=example[0], b=example[2])), assistant(str(arithmetic.result(example)))]
        return Generate(Prompt((*turns, user(question.format(a=a, b=b)))), arithmetic.MAX_TOKENS)

    return (probe(told, plain), probe(changed_told, changed)), _facts(problem)


def _sum_in_lines(settings: Settings, random: Random, change: str) -> Made:
    a, _, b = problem = arithmetic.draw(random, "+", 2, testing=True)
    examples = _examples(random)
    told = arithmetic.lines(examples)
    if change == ORDER:
        changed = arithmetic.lines(examples[1:] + examples[:1])
    else:
        changed = told.replace("\n", random.choice(_LINE_ENDS))

    def probe(lines: str) -> Generate:
        return Generate(Prompt(text=f"{lines}{a}+{b}="), arithmetic.MAX_TOKENS, ("\n",))

    return (probe(told), probe(changed)), _facts(problem)


def _facts(problem: Problem) -> dict[str, Any]:
    return {"expected": str(arithmetic.result(problem)), "numbers": [problem[0], problem[2]]}


def _examples(random: Random) -> list[Problem]:
    return [arithmetic.draw(random, "+", 2, testing=False) for _ in range(arithmetic.EXAMPLES)]


def _recall(settings: Settings, random: Random, change: str) -> Made:
    note = notes.draw(random, _OTHERS)
    text = passage(random, min(_TEXT_CHARACTERS, settings.characters // 4))
    plain, *others = _RECALL["paraphrases"]
    form, told, question = _FORM, note, plain
    if change == ORDER:
        told = notes.told_anew(random, note)
    elif change == SPACING:
        form = random.choice(_RECALL["spacing"])
    else:
        question = random.choice(others)

    def probe(form: str, told: notes.Note, question: str) -> Generate:
        line = notes.question(settings, note.asked[0], question)
        return notes.probe(settings, form.format(note=told.text, text=text, question=line))

    facts = {"expected": note.answer, "value": note.asked[1], "wrong": note.wrong}
    return (probe(_FORM, note, plain), probe(form, told, question)), facts


def score(item: Item, reference: Sequence[Answer], candidate: Sequence[Answer]) -> Iterator[Score]:
    """Nothing where the reference could not be asked: that says nothing about the candidate."""
    if any(isinstance(answer, Refused) for answer in reference):
        return
    values = {
        AGREEMENT.name: (_agree(item, reference), _agree(item, candidate)),
        RIGHT.name: (_right(item, reference), _right(item, candidate)),
    }
    shown = Shown(
        f"{asked(item, 0)}\n---\n{asked(item, 1)}",
        str(item.facts["expected"]),
        "\n---\n".join(map(seen, reference)),
        "\n---\n".join(map(seen, candidate)),
    )
    yield Score(SLICE, item.id, values, shown, tuple(item.facts["parts"]))


def _agree(item: Item, answers: Sequence[Answer]) -> float:
    plain, changed = (_read(item, answer) for answer in answers)
    return float(plain is not None and plain == changed)


def _right(item: Item, answers: Sequence[Answer]) -> float:
    """To the changed prompt."""
    said = words(answers[1])
    if "value" in item.facts:
        return float(notes.is_right(said, item.facts["value"], item.facts["wrong"]))
    return float(arithmetic.is_right(said, item))


def _read(item: Item, answer: Answer) -> float | frozenset[str] | None:
    """What an answer says, however it says it; None where it says nothing of what was asked for."""
    if "value" not in item.facts:
        return arithmetic.said_number(words(answer), item)
    told = (item.facts["value"], *item.facts["wrong"])
    return frozenset(value for value in told if notes.names(words(answer), value)) or None
