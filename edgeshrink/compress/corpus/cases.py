"""One case of a policy to learn, and the records that become one: call a tool or not, answer from a passage or not.

{"messages", "tools", "answer": "text" | {"content"} | {"tool_calls": [...]}, "pair"}   tools
{"question", "passage", "answer": "text" | null, "pair", "refusal"}                     retrieval; null: it is not there

Cases with the same `pair` are near misses of each other: alike, and answered differently. Each case has two sides, of
which one opens in a way that can be told: a call, and the refusal to answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from edgeshrink.compress.corpus.documents import Message, messages_of, text_of, tools_of
from edgeshrink.errors import DataError

Family = Literal["tools", "passages"]
Side = Literal["call", "text", "refusal", "answer"]
FAMILIES: Mapping[Family, tuple[Side, Side]] = {"tools": ("call", "text"), "passages": ("refusal", "answer")}
"""Each with its two sides; the first is the one whose openings are told apart from all else."""
REFUSAL = "The passage does not say."
"""What is answered where the passage does not hold it and the record brings no words of its own."""
NO_CALL = "No tool is needed for that."
_HINT = (
    'a case is {"messages": [...], "tools": [...], "answer": "text" or {"tool_calls": [...]}, "pair": id}, or'
    ' {"question", "passage", "answer": "text" or null, "pair": id}'
)
_CALL_ID = "call00001"  # nine letters and digits: some templates (Mistral's) refuse any other


@dataclass(frozen=True, slots=True)
class Case:
    """`messages` end before the assistant's turn, `answer` is that turn. `pair` None: it stands alone."""

    family: Family
    side: Side
    messages: tuple[Message, ...] = field(repr=False)
    tools: tuple[Mapping[str, Any], ...] = field(repr=False)
    answer: Message = field(repr=False)
    pair: str | None = None

    @property
    def other_side(self) -> Side:
        first, second = FAMILIES[self.family]
        return second if self.side == first else first

    @property
    def identity(self) -> bytes:
        """What two cases that are the same share."""
        return json.dumps([self.messages, self.tools, self.answer], ensure_ascii=True, sort_keys=True).encode()

    @property
    def words(self) -> str:
        """All that it says, without the marks of any template."""
        return "\n".join(str(message.get("content") or "") for message in (*self.messages, self.answer))

    def stand_in(self) -> Message | None:
        """A turn of the other side, for a case that has no near miss; None: there is nothing that could be called."""
        if self.family == "passages":
            return _said(REFUSAL if self.side == "answer" else str(self.messages[-1]["content"]))
        if self.side == "call":
            return _said(NO_CALL)
        if not self.tools:
            return None
        function = self.tools[0].get("function", self.tools[0])
        name = str(function.get("name", ""))
        return {"role": "assistant", "content": "", "tool_calls": [_called({"name": name, "arguments": {}}, _CALL_ID)]}


def case_of(record: Any, where: str) -> Case | None:
    """None where the record is no case but something else to learn from. DataError names `where` and what is wrong."""
    if not isinstance(record, Mapping) or "answer" not in record:
        return None
    pair = record.get("pair")
    if pair is not None and not isinstance(pair, str | int):
        raise DataError(f"{where}: pair is {pair!r:.80}, expected a text or a number", hint=_HINT)
    name = None if pair is None else str(pair)
    if "passage" in record:
        return _about_passage(record, where, name)
    if record.get("messages") is None:
        return None
    messages = tuple(_earlier(one, where) for one in messages_of(record["messages"], f"{where}: messages"))
    if not messages or messages[-1]["role"] == "assistant":
        raise DataError(f"{where}: its messages do not end before the assistant's turn", hint=_HINT)
    answer = _turn(record["answer"], where)
    return Case("tools", "call" if "tool_calls" in answer else "text", messages, tools_of(record, where), answer, name)


def _about_passage(record: Mapping[str, Any], where: str, pair: str | None) -> Case:
    passage, question = (text_of(record.get(key), f"{where}: {key}") for key in ("passage", "question"))
    given = record["answer"]
    said = text_of(record.get("refusal", REFUSAL) if given is None else given, f"{where}: answer")
    asked = {"role": "user", "content": f"{passage}\n{question}"}
    return Case("passages", "refusal" if given is None else "answer", (asked,), (), _said(said), pair)


def _earlier(message: Message, where: str) -> Message:
    """A message before the turn, its calls in one spelling."""
    calls = message.get("tool_calls")
    return {**message, "tool_calls": _calls(calls, where)} if calls else message


def _turn(value: Any, where: str) -> Message:
    if isinstance(value, str):
        return _said(text_of(value, where))
    if not isinstance(value, Mapping):
        raise DataError(f"{where}: answer is {value!r:.80}", hint=_HINT)
    calls = value.get("tool_calls")
    if calls:
        return {"role": "assistant", "content": str(value.get("content") or ""), "tool_calls": _calls(calls, where)}
    return _said(text_of(value.get("content"), f"{where}: answer"))


def _calls(value: Any, where: str) -> list[dict[str, Any]]:
    """OpenAI writes arguments as JSON in a string; templates want the object."""
    if not isinstance(value, list):
        raise DataError(f"{where}: tool_calls is {value!r:.80}, expected a list", hint=_HINT)
    return [_call(call, where) for call in value]


def _call(value: Any, where: str) -> dict[str, Any]:
    function = value.get("function", value) if isinstance(value, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise DataError(f"{where}: a call has no name: {value!r:.80}", hint=_HINT)
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: arguments of a call are no JSON: {error}", hint=_HINT) from error
    if not isinstance(arguments, Mapping):
        raise DataError(f"{where}: arguments of a call are no object: {arguments!r:.80}", hint=_HINT)
    return _called({"name": function["name"], "arguments": dict(arguments)}, str(value.get("id") or _CALL_ID))


def _called(function: dict[str, Any], name: str) -> dict[str, Any]:
    return {"id": name, "type": "function", "function": function}


def _said(text: str) -> Message:
    return {"role": "assistant", "content": text}
