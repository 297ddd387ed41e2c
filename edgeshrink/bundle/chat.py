"""A chat template, as what stands before and after one question: for loaders on devices where no Jinja runs.

A template is a program, so what it does is found out by putting questions to it that nobody would ask: what stands
around each of them must be the same, and the question itself must come out as it went in.
"""

from __future__ import annotations

import random
import string
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from edgeshrink.bundle.chat_words import ChatWords, read_words
from edgeshrink.core.bundle import Chat
from edgeshrink.errors import DataError
from edgeshrink.runtimes.chat_bounded import render_chats_bounded

__all__ = ["TEMPLATE_NAME", "ChatWords", "chat_of", "read_words"]

TEMPLATE_NAME = "chat_template.jinja"
_SEED = 20
_LONGEST = 1 << 17
"""Characters around a question: more than any system prompt."""
_ANOTHER_DAY = timedelta(days=400, hours=7, minutes=13)
_SIGNS = "“é漢\"<b>&amp;'{{x}}{%\\n~\n\nZweite\tZeile"
_PADDING = (" \n  ", " \n\t ")


def chat_of(words: ChatWords, *, today: str) -> tuple[Chat | None, tuple[str, ...]]:
    """How one question is put to the model, and sentences the person should read. None: the template cannot be
    said in two texts, or there is none (then without a sentence: the model continues text).

    `today` (ISO 8601) is the date that a template writes where it asks for the date: a bundle holds no clock.
    """
    if not words.template:
        return None, ()
    first, second = _sentinels()
    questions = (first, second, f"{first}{_SIGNS}{second}", _PADDING[0] + first + _PADDING[1])
    days = (today, today, today, today, _later(today))
    calls = [_call(words, question, day) for question, day in zip((*questions, first), days, strict=True)]
    answers = render_chats_bounded(words.template, calls)
    texts = [answer for answer in answers if isinstance(answer, str)]
    if len(texts) < len(answers):
        why = next(answer.message for answer in answers if isinstance(answer, DataError))
        return None, (_no_chat(why),)
    *rendered, padded, another_day = texts
    around = {_around(text, question) for text, question in zip(rendered, questions, strict=False)}
    if len(around) != 1 or None in around:
        return None, (_no_chat("the chat template writes a question otherwise than as it was asked, in one place"),)
    before, after = next(found for found in around if found is not None)
    if len(before) + len(after) > _LONGEST or not _is_text(before + after):
        return None, (_no_chat("the chat template writes what no prompt is, around a question"),)
    notes = tuple(_notes(padded, questions[3], (before, after), another_day != rendered[0]))
    if words.adds_bos and words.bos and not before.startswith(words.bos):
        before = words.bos + before
    return Chat(TEMPLATE_NAME, before, after, words.stop, words.stop_ids), notes


def _notes(padded: str, question: str, around: tuple[str, str], dated: bool) -> Iterator[str]:
    before, after = around
    if padded == before + question.strip() + after:
        yield "the chat template leaves out blanks around a question, and so should the app (no loader does)"
    elif padded != before + question + after:
        yield "the chat template changes blanks around a question in its own way: ask questions without them"
    if dated:
        yield "the chat template writes today's date: in the bundle it is the day of the build"


def _no_chat(why: str) -> str:
    return (
        f"{why}: without Jinja a question cannot be put to this model as in training, and the bundle's loaders pass "
        f"it on as it is; {TEMPLATE_NAME} has the whole template"
    )


def _call(words: ChatWords, question: str, day: str) -> Mapping[str, Any]:
    return {
        "messages": [{"role": "user", "content": question}],
        "bos_token": words.bos,
        "eos_token": words.eos,
        "today": day,
    }


def _around(text: str, question: str) -> tuple[str, str] | None:
    """What stands before and after `question`; None where it is not there exactly once."""
    before, found, after = text.partition(question)
    return (before, after) if found and question not in after else None


def _is_text(text: str) -> bool:
    """Without half characters, which no UTF-8 spells, and without NUL, where tokenizers take a text to end."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _sentinels() -> tuple[str, str]:
    """Two long texts that no template holds, of different length, first and last letters."""
    letters = random.Random(_SEED)
    first, second = ("".join(letters.choices(string.ascii_letters + string.digits, k=length)) for length in (61, 83))
    return f"q{first}.", f"W{second}!"


def _later(today: str) -> str:
    return (datetime.fromisoformat(today) + _ANOTHER_DAY).isoformat()
