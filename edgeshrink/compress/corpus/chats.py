"""Chats as the text that the model reads, by its own chat template, and which of it the assistant says.

The template is a program that came with a checkpoint: it is rendered in a bounded child, many chats at once. What the
assistant says is found by rendering: a turn begins where the chat before it, with the opening of an answer, ends, and
ends where the chat up to it ends. A turn that the whole chat no longer shows so (templates drop old thoughts) counts
as read, not as said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgeshrink.compress.corpus.documents import Document, Message
from edgeshrink.errors import DataError
from edgeshrink.runtimes.chat_bounded import render_chats_bounded

_TIMEOUT_S = 30.0
_TIMEOUT_PER_CALL_S = 0.05
_BEGUN = re.compile(r"<[^<>\s]*\Z")  # a mark of which the rest differs

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A chat's text, and where the assistant speaks: (from, to) in characters, its closing mark included."""

    text: str = field(repr=False)
    said: tuple[Span, ...]


def render_documents(
    template: str, documents: Sequence[Document], *, answers: bool, variables: Mapping[str, Any]
) -> list[Rendered | DataError]:
    """Each chat, or why the template refused it. Without `answers` nobody asks who speaks, and `said` is empty."""
    calls = [list(_calls(document, answers)) for document in documents]
    flat = [{**call, **variables} for group in calls for call in group]
    texts = iter(render_chats_bounded(template, flat, timeout_s=time_for(len(flat))))
    answered = [[next(texts) for _ in group] for group in calls]
    return [_rendered(document, group) for document, group in zip(documents, answered, strict=True)]


def time_for(calls: int) -> float:
    """Seconds that a template may take for so many."""
    return _TIMEOUT_S + _TIMEOUT_PER_CALL_S * calls


def _calls(document: Document, answers: bool) -> Iterator[dict[str, Any]]:
    """The whole chat; then for each turn of the assistant the chat before it, open for an answer, and up to its end."""
    messages, tools = list(document.messages), list(document.tools) or None
    yield {"messages": messages, "tools": tools, "add_generation_prompt": False}
    for place in _turns(document) if answers else ():
        yield {"messages": messages[:place], "tools": tools, "add_generation_prompt": True}
        yield {"messages": messages[: place + 1], "tools": tools, "add_generation_prompt": False}


def _turns(document: Document) -> list[int]:
    return [place for place, message in enumerate(document.messages) if message["role"] == "assistant"]


def _rendered(document: Document, texts: Sequence[str | DataError]) -> Rendered | DataError:
    whole, *turns = texts
    if isinstance(whole, DataError):
        return whole
    pairs = zip(_turns(document), turns[::2], turns[1::2], strict=False)
    said = [
        _said(whole, before, after, document.messages[place])
        for place, before, after in pairs
        if isinstance(before, str) and isinstance(after, str)
    ]
    return Rendered(whole, tuple(span for span in said if span is not None))


def _said(whole: str, before: str, after: str, message: Message) -> Span | None:
    """Some templates open an answer with a thought that a finished one does not show, or end only the last turn with
    the mark of a text's end: then the turn is what they all share, if that holds the words."""
    start, end = shared(before, after), shared(whole, after)
    end = len(whole[:end].rstrip())
    words = str(message.get("content") or "").strip()
    untouched = start == len(before) and end == len(after.rstrip())
    return (start, end) if start < end and (untouched or (words and words in whole[start:end])) else None


def shared(one: str, other: str) -> int:
    """Characters that both begin with; a mark is not divided (</s> and <|user|> share none)."""
    if other.startswith(one):
        return len(one)
    if one.startswith(other):
        return len(other)
    end = next(place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    begun = _BEGUN.search(one, 0, end)
    return begun.start() if begun else end
