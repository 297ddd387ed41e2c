"""Tool calls in what a model said, in the spellings that models are trained on.

An answer is hostile text: it is cut at `LIMIT` characters, read by JSON's own grammar and by `ast.literal_eval` alone,
and whatever goes wrong in that makes it a broken call.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from edgeshrink.evaluate.slices.call_spellings import BrokenCall, Call, opens, spelled
from edgeshrink.evaluate.slices.thoughts import without_thoughts

LIMIT = 20_000
_STARTS = 50
_MARK = re.compile(
    r"<\|?(?:start_)?(?:tool|function)_?calls?(?:_start|_begin)?\|?>|\[TOOL_CALLS\]|<\|python_tag\|>", re.IGNORECASE
)
_END = re.compile(
    r"</(?:tool|function)_?calls?>|<\|(?:tool|function)_?calls?_end\|>|<end_function_call>", re.IGNORECASE
)
_FENCED = re.compile(r"```\w*+\s*+(.*?)```", re.DOTALL)
_LINE = re.compile(r"^[ \t]*+(?=[\[{<])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Heard:
    """What an answer wants of its tools. `opened`: it begins a call, well formed or not. `calls`: all of them; none
    where it makes none, or where one of them is broken."""

    opened: bool
    calls: tuple[Call, ...] = ()


def hear(text: str, names: Collection[str]) -> Heard:
    """The calls in `text`, an answer to a chat that offered the tools called `names`.

    A call stands between a model's own marks, in a fence, or bare and is then the whole answer. Thoughts in front are
    passed over. Behind other words a call counts only where it is whole and names a tool that was offered: broken JSON
    at the end of an explanation is an explanation.
    """
    body = without_thoughts(text[:LIMIT]).strip()
    pieces = list(_marked(body))
    if not pieces and not opens(_unfenced(body), names):
        return _behind_words(body, names)
    try:
        calls = tuple(call for piece in pieces or [body] for call in spelled(_unfenced(piece), names))
    except BrokenCall:
        return Heard(opened=True)
    return Heard(bool(calls), calls)


def _marked(body: str) -> Iterator[str]:
    marks = list(_MARK.finditer(body))
    for mark, following in zip(marks, [*marks[1:], None], strict=False):
        piece = body[mark.end() : following.start() if following else len(body)]
        piece = _END.split(piece, maxsplit=1)[0].strip()
        if piece or following is None:  # marks may stand inside each other: "calls begin", "call begin"
            yield piece


def _unfenced(piece: str) -> str:
    """What stands in the fence that `piece` begins with, else `piece`."""
    piece = piece.strip()
    found = _FENCED.match(piece)
    if found:
        return found[1].strip()
    return re.sub(r"\A```\w*\s*", "", piece)


def _behind_words(body: str, names: Collection[str]) -> Heard:
    fenced = [found[1] for found in _FENCED.finditer(body)]
    starts = [body[found.end() :] for found, _ in zip(_LINE.finditer(body), range(_STARTS), strict=False)]
    for piece in (*fenced[:_STARTS], *starts):
        try:
            calls = tuple(spelled(piece.strip(), names))
        except BrokenCall:
            continue
        if calls and all(call.name in names for call in calls):
            return Heard(True, calls)
    return Heard(opened=False)
