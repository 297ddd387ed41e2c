"""Conversations that a chat template is rendered on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_WEATHER: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Name of the city"}},
            "required": ["city"],
        },
    },
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """`asks`: the prompt ends where the model is to go on."""

    name: str
    messages: tuple[Mapping[str, str], ...]
    tools: tuple[Mapping[str, Any], ...] | None = None
    asks: bool = True


def _said(*turns: tuple[str, str]) -> tuple[Mapping[str, str], ...]:
    return tuple({"role": role, "content": content} for role, content in turns)


CONVERSATIONS: tuple[Conversation, ...] = (
    Conversation("one question", _said(("user", "What is 2 + 2?"))),
    Conversation("system and question", _said(("system", "Be brief."), ("user", "Grüß dich! 你好？"))),
    Conversation(
        "several turns",
        _said(
            ("user", "Tell me a story."),
            ("assistant", 'Once upon a time, there was a "fox".\n\nThe end.'),
            ("user", "  And then?  "),
        ),
    ),
    Conversation("finished", _said(("user", "Hi"), ("assistant", "Hello!")), asks=False),
    Conversation("with a tool", _said(("user", "What is the weather in Lima?")), tools=(_WEATHER,)),
)
