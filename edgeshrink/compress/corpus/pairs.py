"""Two answers to one prompt, of which one is preferred, and the records that become such a pair.

{"prompt" | "messages", "chosen", "rejected"}            a turn's question or a chat, and two texts; also "tools"
{"prompt": [messages], "chosen": [messages], "rejected": [messages]}      TRL's words for the same
{"chosen": [messages], "rejected": [messages]}           two chats that begin alike
{"prompt" | "messages", "answers": [texts]}              answers that are to be ranked first
{"prompt" | "messages"}                                  answers that are to be given first
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edgeshrink.compress.corpus.documents import (
    ANSWER_KEYS,
    CHAT_KEYS,
    PROMPT_KEYS,
    TEXT_KEYS,
    Document,
    Message,
    messages_of,
    text_of,
    tools_of,
)
from edgeshrink.errors import DataError

CHOSEN, REJECTED, ANSWERS = "chosen", "rejected", "answers"
Kind = Literal["pair", "answers", "prompt"]
_HINT = 'a pair is {"prompt": "...", "chosen": "...", "rejected": "..."}; prompt and answers may be lists of messages'


@dataclass(frozen=True, slots=True)
class Pair:
    """Both documents end with an answer of the assistant; `prompt` is what they share before it."""

    chosen: Document
    rejected: Document
    prompt: bytes

    @property
    def identity(self) -> bytes:
        """What two pairs that are the same share."""
        return b"\0".join((self.chosen.identity, self.rejected.identity))

    @property
    def alike(self) -> bool:
        """Nothing is preferred to anything."""
        return self.chosen.identity == self.rejected.identity


def kind_of(record: Any) -> Kind | None:
    """What `record` is to a learner of preferences; None: no prompt, but a text or a chat with its answer."""
    if not isinstance(record, Mapping):
        return None
    if record.get(CHOSEN) is not None or record.get(REJECTED) is not None:
        return "pair"
    if record.get(ANSWERS) is not None:
        return "answers"
    if any(record.get(key) is not None for key in (*TEXT_KEYS, *ANSWER_KEYS, "completion")):
        return None
    chat = next((record[key] for key in CHAT_KEYS if record.get(key) is not None), None)
    if isinstance(chat, list):
        last = chat[-1] if chat else None
        return None if isinstance(last, Mapping) and last.get("role", last.get("from")) in _SPEAKERS else "prompt"
    return "prompt" if any(record.get(key) is not None for key in PROMPT_KEYS) else None


_SPEAKERS = ("assistant", "gpt", "model", "bot")


def pair_of(record: Mapping[str, Any], where: str) -> Pair:
    """DataError names `where` and what is wrong with it."""
    for key in (CHOSEN, REJECTED):
        if record.get(key) is None:
            raise DataError(f"{where}: there is no {key!r} answer", hint=_HINT)
    prompt, tools = prompt_of(record, where), tools_of(record, where)
    answers = [_turns(record[key], f"{where}: {key}") for key in (CHOSEN, REJECTED)]
    if not prompt:
        shared = _shared(*answers)
        prompt, answers = answers[0][:shared], [answer[shared:] for answer in answers]
    if not prompt:
        raise DataError(f"{where}: there is no prompt that both answers answer", hint=_HINT)
    for key, answer in zip((CHOSEN, REJECTED), answers, strict=True):
        if answer[-1]["role"] != "assistant":
            raise DataError(f"{where}: {key} does not end with an answer of the assistant", hint=_HINT)
    turn = not tools and [one["role"] for one in prompt] == ["user"] and all(map(_is_text, answers))
    chosen, rejected = (Document(messages=(*prompt, *answer), tools=tools, turn=turn) for answer in answers)
    return Pair(chosen, rejected, Document(messages=prompt, tools=tools).identity)


def prompt_of(record: Mapping[str, Any], where: str) -> tuple[Message, ...]:
    """The chat that is to be answered, () where the record has none."""
    value = next((record[key] for key in (*CHAT_KEYS, *PROMPT_KEYS) if record.get(key) is not None), None)
    if value is None:
        return ()
    if isinstance(value, list):
        return messages_of(value, f"{where}: prompt")
    return ({"role": "user", "content": text_of(value, f"{where}: prompt")},)


def _turns(value: Any, where: str) -> tuple[Message, ...]:
    if isinstance(value, str):
        value = [{"role": "assistant", "content": value}]
    turns = messages_of([value] if isinstance(value, Mapping) else value, where)
    last = turns[-1] if turns else {}
    if not (str(last.get("content") or "").strip() or last.get("tool_calls")):
        raise DataError(f"{where} says nothing", hint=_HINT)
    return turns


def _shared(one: tuple[Message, ...], other: tuple[Message, ...]) -> int:
    """Messages that both begin with, of which the last of either is none: it is the answer."""
    most = min(len(one), len(other)) - 1
    return next((place for place in range(most) if one[place] != other[place]), max(0, most))


def _is_text(answer: tuple[Message, ...]) -> bool:
    return len(answer) == 1 and isinstance(answer[0].get("content"), str) and not answer[0].get("tool_calls")
