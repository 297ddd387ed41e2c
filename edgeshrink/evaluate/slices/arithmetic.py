"""Whole numbers added (and, where a suite asks for it, subtracted and multiplied), each problem asked by itself.

Options: `digits`, lengths of the numbers (default [2]); `operations`, of "+", "-" and "*" (default ["+"]).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random

from edgeshrink.evaluate.probes import Answer, Generate, Prompt, Refused
from edgeshrink.evaluate.slices.interface import Item, Score, Settings, SliceFacts
from edgeshrink.evaluate.slices.options import several, whole_between
from edgeshrink.evaluate.slices.rights import RIGHT, task_score, user, words
from edgeshrink.evaluate.slices.words.holdout import held_out

NAME = "arithmetic"
OPTIONS = ("digits", "operations")
SLICES = (SliceFacts("arithmetic", "Arithmetic", (RIGHT,), chance=0.0),)

QUESTIONS = {
    "+": ("What is {a}+{b}?", "{a}+{b}=", "How much is {a}+{b}?", "Please add {a}+{b}."),
    "-": ("What is {a}-{b}?", "{a}-{b}=", "How much is {a}-{b}?"),
    "*": ("What is {a}*{b}?", "{a}*{b}=", "How much is {a}*{b}?"),
}
EXAMPLES = 3
MAX_TOKENS = 64
"""Room for a sentence that says both numbers again, a digit a token."""
_TRIES = 20
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")
Problem = tuple[int, str, int]


def slices(settings: Settings) -> tuple[SliceFacts, ...]:
    return SLICES


def why_not(settings: Settings) -> str:
    return ""


def items(settings: Settings, random: Random, count: int) -> Iterator[Item]:
    """Problems of a round differ while there are enough of them."""
    digits, operations = _options(settings)
    asked: set[tuple[str, Problem]] = set()
    for number in range(count):
        for _ in range(_TRIES):
            problem = draw(random, random.choice(operations), random.choice(digits), testing=True)
            question = random.choice(QUESTIONS[problem[1]])
            if (question, problem) not in asked:
                break
        asked.add((question, problem))
        yield _item(f"{number}", settings, random, question, problem)


def _options(settings: Settings) -> tuple[Sequence[int], Sequence[str]]:
    digits = several(settings, NAME, "digits", (2,), whole_between(2, 9))
    return digits, several(settings, NAME, "operations", ("+",), lambda each: each in list(QUESTIONS))


def draw(random: Random, operation: str, digits: int, *, testing: bool) -> Problem:
    """Two numbers of so many digits. Sums of a tenth of all pairs, in either order, are kept for testing."""
    low, high = 10 ** (digits - 1), 10**digits - 1
    while True:
        a, b = random.randint(low, high), random.randint(low, high)
        if held_out("sum", min(a, b), max(a, b)) == testing:
            return a, operation, b


def result(problem: Problem) -> int:
    a, operation, b = problem
    return a + b if operation == "+" else a - b if operation == "-" else a * b


def lines(problems: Sequence[Problem]) -> str:
    """Worked examples for a model without a chat."""
    return "".join(f"{a}{operation}{b}={result((a, operation, b))}\n" for a, operation, b in problems)


def _item(name: str, settings: Settings, random: Random, question: str, problem: Problem) -> Item:
    a, operation, b = problem
    digits = len(str(a))
    if settings.chat:
        probe = Generate(Prompt((user(question.format(a=a, b=b)),)), MAX_TOKENS)
    else:
        examples = [draw(random, operation, digits, testing=False) for _ in range(EXAMPLES)]
        probe = Generate(Prompt(text=f"{lines(examples)}{a}{operation}{b}="), MAX_TOKENS, ("\n",))
    expected = str(result(problem))
    return Item(
        name,
        (probe,),
        {"expected": expected, "numbers": [a, b], "oracle": [expected], "parts": [f"{digits} digits, {operation}"]},
    )


def score(item: Item, reference: Sequence[Answer], candidate: Sequence[Answer]) -> Iterator[Score]:
    """Nothing where the reference could not be asked: that says nothing about the candidate."""
    if isinstance(reference[0], Refused):
        return
    answers = (reference[0], candidate[0])
    right = (is_right(words(answers[0]), item), is_right(words(answers[1]), item))
    yield task_score("arithmetic", item, answers, right, parts=item.facts["parts"])


def is_right(text: str, item: Item) -> bool:
    return said_number(text, item) == float(item.facts["expected"])


def said_number(text: str, item: Item) -> float | None:
    """What an answer comes to in the end: its last number, or the last before the problem itself ("82 is the sum of 37
    and 45")."""
    found = [float(number.replace(",", "")) for number in _NUMBER.findall(text.replace("−", "-"))]
    if sorted(map(abs, found[-2:])) == sorted(item.facts["numbers"]):
        del found[-2:]
    return found[-1] if found else None
