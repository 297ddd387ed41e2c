"""Form: an answer ends by a stop token (format/stop), and is one turn of the chat, its own (format/template).

Asked are short things: small talk, sums, questions for a tool that is there and for one that is not, in a first turn
and after others. Option: `max_tokens` within which an answer must have ended (default 128).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random

from edgeshrink.evaluate.probes import Answer, Generate, Prompt, Refused, Said
from edgeshrink.evaluate.slices.arithmetic import draw, result
from edgeshrink.evaluate.slices.interface import Item, Score, Settings, Shown, SliceFacts
from edgeshrink.evaluate.slices.options import whole
from edgeshrink.evaluate.slices.rights import RIGHT, asked, assistant, seen, user, words
from edgeshrink.evaluate.slices.words.tool_catalog import REMARK_REPLY, SMALL_TALK, TOOLS, Tool

NAME = "format"
OPTIONS = ("max_tokens",)
_MAX_TOKENS, _MOST_TOKENS = 128, 100_000
_EARLIER = 3
_KINDS = ("small talk", "sum", "tool call", "no such tool", "remark")
_OWN_TURN = re.compile(r"think|tool|call|channel|message|constrain", re.IGNORECASE)
"""Control tokens that belong into an answer: thoughts, calls, and what marks them."""
_OTHER_TURN = re.compile(
    r"<\|[\w ]{1,40}\|>|</?(?:start|end)_of_turn>|</?s>|\[/?INST\]|<</?SYS>>"
    r"|^[ \t]*+(?:#+\s*(?:instruction|response)|(?:#+\s*)?(?:user|human|assistant|system))\s*:",
    re.IGNORECASE | re.MULTILINE,
)
Turn = tuple[str, str]


def slices(settings: Settings) -> tuple[SliceFacts, ...]:
    """Of a model that never ends or never keeps to its turn nothing can be lost: chance is 0."""
    if not settings.chat:
        return ()
    return (
        SliceFacts("format/stop", "Answers end by a stop token", (RIGHT,), 0.0),
        SliceFacts("format/template", "An answer is one turn, without roles or control tokens", (RIGHT,), 0.0),
    )


def why_not(settings: Settings) -> str:
    return "the reference has no chat template"


def items(settings: Settings, random: Random, count: int) -> Iterator[Item]:
    limit = whole(settings, NAME, "max_tokens", _MAX_TOKENS, 1, _MOST_TOKENS)
    for number in range(count if settings.chat else 0):
        kind = _KINDS[number % len(_KINDS)]
        offered, other = random.sample(TOOLS, 2)
        said, reply = _turn(random, kind, offered, other)
        earlier = [_turn(random, random.choice(_KINDS[:2]), offered, other) for _ in range(random.randint(0, _EARLIER))]
        turns = [message for one in earlier for message in (user(one[0]), assistant(one[1]))]
        prompt = Prompt(messages=(*turns, user(said)), tools=(offered.function,) if kind not in _KINDS[:2] else ())
        facts = {"parts": [kind, "later turn" if earlier else "first turn"], "limit": limit, "oracle": [reply]}
        yield Item(f"{number}", (Generate(prompt, limit),), facts)


def score(item: Item, reference: Sequence[Answer], candidate: Sequence[Answer]) -> Iterator[Score]:
    """Nothing where the reference could not be asked: that says nothing about the candidate."""
    if isinstance(reference[0], Refused):
        return
    first, second = reference[0], candidate[0]
    ends, turn = f"an end within {item.facts['limit']} tokens", "one turn of its own"
    parts = tuple(item.facts["parts"])
    for name, expected, judge in (("format/stop", ends, _ends), ("format/template", turn, is_one_turn)):
        values = {RIGHT.name: (float(judge(first)), float(judge(second)))}
        yield Score(name, item.id, values, Shown(asked(item), expected, _shown(first), _shown(second)), parts)


def _turn(random: Random, kind: str, offered: Tool, other: Tool) -> Turn:
    match kind:
        case "small talk":
            return random.choice(SMALL_TALK)
        case "sum":
            problem = draw(random, "+", 2, testing=True)
            return f"What is {problem[0]}+{problem[2]}?", str(result(problem))
        case "tool call":
            said, value = offered.question(random, testing=True)
            return said, offered.call(value)
        case "no such tool":
            return other.question(random, testing=True)[0], other.refusal
        case _:
            return offered.remark(random, testing=True), REMARK_REPLY


def _ends(answer: Answer) -> bool:
    return isinstance(answer, Said) and answer.ended == "stop token"


def is_one_turn(answer: Answer) -> bool:
    """Something is said, and nobody else's turn begins: no role's mark as a control token, and none spelled out."""
    if not isinstance(answer, Said) or not (answer.text.strip() or answer.control):
        return False
    spelled = (found[0] for found in _OTHER_TURN.finditer(words(answer)))
    return all(_OWN_TURN.search(mark) for mark in (*answer.control, *spelled))


def _shown(answer: Answer) -> str:
    if not isinstance(answer, Said):
        return seen(answer)
    inside = f"; inside: {' '.join(answer.control)}" if answer.control else ""
    return f"{answer.text} ({answer.tokens} tokens, ended by {answer.ended}{inside})"
