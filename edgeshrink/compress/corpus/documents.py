"""One document to learn from, and the records that become one: plain text, a chat, or a prompt with its answer.

{"text"} or {"content"}                            plain text
{"messages": [{"role", "content"}]}                a chat; also "tools"
{"conversations": [{"from", "value"}]}             the same in ShareGPT's words
{"prompt", "completion"}                           text that goes on where the prompt ends; or lists of messages
{"prompt"|"question"|"instruction", "answer"|"response"}   one turn of a chat
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from edgeshrink.errors import DataError

Message = Mapping[str, Any]
TEXT_KEYS = ("text", "content")
CHAT_KEYS = ("messages", "conversations")
PROMPT_KEYS = ("prompt", "question", "instruction")
ANSWER_KEYS = ("answer", "response")
KEYS = (*TEXT_KEYS, *CHAT_KEYS, *PROMPT_KEYS, "completion", *ANSWER_KEYS, "tools")
"""All that is read of a record."""
_MESSAGE_KEYS = ("name", "tool_calls", "tool_call_id", "reasoning_content", "thinking")
_ROLES = {"human": "user", "gpt": "assistant", "model": "assistant", "bot": "assistant"}
_HINT = 'a record is {"text"}, {"messages": [{"role", "content"}]}, {"prompt", "completion"} or {"question", "answer"}'


@dataclass(frozen=True)
class Document:
    """Plain `text`, of which all from `answer_at` on (a character) is the answer where it is not None; or a chat.

    `ends`: it is whole at its end, so that a token which ends a text may follow. `turn`: `messages` are one question
    and its answer, which a model without a chat template reads as plain text.
    """

    text: str = field(default="", repr=False)
    answer_at: int | None = None
    messages: tuple[Message, ...] = field(default=(), repr=False)
    tools: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    turn: bool = False
    ends: bool = True

    @property
    def words(self) -> str:
        """All that it says, without the marks of any template."""
        return self.text or "\n".join(str(message.get("content") or "") for message in self.messages)

    @property
    def identity(self) -> bytes:
        """What two documents that are the same share."""
        if not self.messages:
            return self.text.encode()
        return json.dumps([self.messages, self.tools], ensure_ascii=True, sort_keys=True).encode()

    @cached_property
    def nbytes(self) -> int:
        return len(self.identity)


def document_of(record: Any, where: str) -> Document | None:
    """None where the record holds no words. DataError names `where` and what was expected."""
    if not isinstance(record, Mapping):
        raise DataError(f"{where}: expected an object, got {record!r:.80}", hint=_HINT)
    for key in CHAT_KEYS:
        if record.get(key) is not None:
            return _chat(messages_of(record[key], f"{where}: {key}"), record, where)
    prompt = next((record[key] for key in PROMPT_KEYS if record.get(key) is not None), None)
    answer = next((record[key] for key in ANSWER_KEYS if record.get(key) is not None), None)
    if prompt is not None and record.get("completion") is not None:
        return _continued(prompt, record["completion"], record, where)
    if prompt is not None and answer is not None:
        turns = (
            {"role": "user", "content": text_of(prompt, where)},
            {"role": "assistant", "content": text_of(answer, where)},
        )
        return Document(messages=turns, tools=tools_of(record, where), turn=True)
    for key in TEXT_KEYS:
        if record.get(key) is not None:
            text = text_of(record[key], f"{where}: {key}")
            return Document(text=text) if text.strip() else None
    raise DataError(
        f"{where}: none of its keys says what to learn: {', '.join(map(repr, list(record)[:12]))}", hint=_HINT
    )


def _continued(prompt: Any, completion: Any, record: Mapping[str, Any], where: str) -> Document | None:
    if isinstance(prompt, list):
        after = completion if isinstance(completion, list) else [{"role": "assistant", "content": completion}]
        return _chat((*messages_of(prompt, where), *messages_of(after, where)), record, where)
    start, rest = text_of(prompt, where), text_of(completion, where)
    return Document(text=start + rest, answer_at=len(start)) if (start + rest).strip() else None


def _chat(messages: tuple[Message, ...], record: Mapping[str, Any], where: str) -> Document | None:
    if not any(str(message.get("content") or "").strip() or message.get("tool_calls") for message in messages):
        return None
    return Document(messages=messages, tools=tools_of(record, where))


def messages_of(value: Any, where: str) -> tuple[Message, ...]:
    """A chat's messages, in one spelling; DataError where they are none."""
    if not isinstance(value, list):
        raise DataError(f"{where}: expected a list of messages, got {value!r:.80}", hint=_HINT)
    return tuple(_message(entry, where) for entry in value)


def _message(entry: Any, where: str) -> Message:
    if not isinstance(entry, Mapping):
        raise DataError(f"{where}: expected a message, got {entry!r:.80}", hint=_HINT)
    role, content = entry.get("role", entry.get("from")), entry.get("content", entry.get("value"))
    if not isinstance(role, str):
        raise DataError(f"{where}: a message has no role", hint=_HINT)
    rest = {key: entry[key] for key in _MESSAGE_KEYS if entry.get(key) is not None}
    said = {} if content is None else {"content": whole(content) if isinstance(content, str) else content}
    return {"role": _ROLES.get(role, role), **said, **rest}


def tools_of(record: Mapping[str, Any], where: str) -> tuple[Mapping[str, Any], ...]:
    """What `record` has on offer; JSON in a string counts too. DataError where it is no list of tools."""
    tools = record.get("tools")
    if isinstance(tools, str):
        try:
            tools = json.loads(tools) if tools.strip() else None
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: tools is not JSON: {error}", hint="give a list of tools") from error
    if tools is None:
        return ()
    if not isinstance(tools, list) or not all(isinstance(tool, Mapping) for tool in tools):
        raise DataError(f"{where}: expected a list of tools, got {tools!r:.80}", hint="give a list of tools")
    return tuple(tools)


def text_of(value: Any, where: str) -> str:
    """DataError where it is none."""
    if not isinstance(value, str):
        raise DataError(f"{where}: expected text, got {value!r:.80}", hint=_HINT)
    return whole(value)


def whole(text: str) -> str:
    """`text` with half surrogate pairs (JSON can spell them, UTF-8 cannot) replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
