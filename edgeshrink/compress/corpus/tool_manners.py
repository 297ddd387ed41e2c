"""How a chat template shows tools and calls, found by showing it some; and chats put so that it shows them.

Many templates know no tools: then an offer stands in the system message, as the suite puts it, and a call is the
assistant's words, {"name": ..., "arguments": {...}}. One that refuses a system message gets its words before the first
user's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeshrink.compress.corpus.documents import Document, Message
from edgeshrink.errors import DataError
from edgeshrink.runtimes.chat_bounded import render_chats_bounded
from edgeshrink.runtimes.tool_offers import with_offer

_NAME, _VALUE = "look_for_shoes", "Sandals"
_TOOL: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": _NAME,
        "description": "Looks for shoes",
        "parameters": {"type": "object", "properties": {"kind": {"type": "string"}}, "required": ["kind"]},
    },
}
_ASKED: Message = {"role": "user", "content": "Hello"}
_CALLED: Message = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": "call00001", "type": "function", "function": {"name": _NAME, "arguments": {"kind": _VALUE}}}],
}


@dataclass(frozen=True, slots=True)
class Manners:
    """What a template shows: `tools` on offer, `calls` of the assistant; `system`: it takes a system message."""

    tools: bool
    calls: bool
    system: bool

    def chat(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> Document:
        """`messages` so that everything in them is seen."""
        shown = list(messages) if self.calls else [_spelt(message) for message in messages]
        if tools and not self.tools:
            shown, tools = list(with_offer(shown, tools)), ()
        if not self.system:
            shown = _folded(shown)
        return Document(messages=tuple(shown), tools=tuple(tools))


def manners_of(template: str, variables: Mapping[str, Any]) -> Manners:
    """Of a chat template, which is run in a bounded child."""
    asked = {"messages": [_ASKED], "tools": [_TOOL]}
    chats = (
        {**asked, "add_generation_prompt": True},
        {**asked, "messages": [_ASKED, _CALLED], "add_generation_prompt": False},
        {"messages": [_ASKED, _CALLED], "add_generation_prompt": False},
        {"messages": [{"role": "system", "content": _VALUE}, _ASKED], "add_generation_prompt": True},
    )
    offered, *called, told = render_chats_bounded(template, [{**chat, **variables} for chat in chats])
    tools = _shows(offered, _NAME)
    return Manners(tools, _shows(called[not tools], _VALUE), _shows(told, _VALUE))


def _shows(text: str | DataError, words: str) -> bool:
    return isinstance(text, str) and words in text


def _spelt(message: Message) -> Message:
    calls = message.get("tool_calls")
    if not calls:
        return message
    functions = [call.get("function", call) for call in calls]
    lines = [json.dumps({"name": one["name"], "arguments": one["arguments"]}, ensure_ascii=False) for one in functions]
    said = [str(message["content"])] if message.get("content") else []
    return {"role": message["role"], "content": "\n".join((*said, *lines))}


def _folded(messages: Sequence[Message]) -> list[Message]:
    if len(messages) < 2 or messages[0]["role"] != "system" or messages[1]["role"] != "user":
        return list(messages)
    system, first, *others = messages
    return [{**first, "content": f"{system.get('content') or ''}\n\n{first.get('content') or ''}"}, *others]
