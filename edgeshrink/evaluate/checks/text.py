"""How the file reads and frames text: tokens, special tokens, stop tokens, chat template, as in the source."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from edgeshrink.catalog.source_tokenizer import SourceTokenizer, open_source_tokenizer
from edgeshrink.catalog.texts import Text
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.quality import Check
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import DataError
from edgeshrink.evaluate.conversations import CONVERSATIONS
from edgeshrink.evaluate.hard_strings import HARD_STRINGS
from edgeshrink.evaluate.subject import Subject
from edgeshrink.runtimes.chat_bounded import render_chats_bounded
from edgeshrink.runtimes.child import run_job

_SHOWN = 2
_IDS_BEFORE, _IDS_SHOWN = 3, 8
_PASSAGES, _PASSAGE_CHARACTERS = 40, 400


@dataclass(frozen=True, slots=True)
class _Prompt:
    name: str
    rendered: str | None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class _File:
    """What the runtime says of the finished file."""

    plain: list[list[int]] = field(repr=False)
    prompts: list[list[int]] = field(repr=False)
    framed: list[int]
    template: str | None = field(repr=False)
    bos_id: int | None
    eos_id: int | None
    stop_ids: tuple[int, ...] = field(repr=False)


def check_text(subject: Subject, facts: ModelFacts, vocabulary: Vocabulary, text: Text) -> tuple[Check, ...]:
    """Open `subject` in its runtime (for its vocabulary, in a child process) and hold it against the source."""
    carried = facts.source.kind == "gguf"
    source = None if carried else open_source_tokenizer(facts, vocabulary)
    plain = _plain_strings(source, text)
    expected = _render_all(vocabulary.chat_template, vocabulary)
    prompts = [prompt.rendered for prompt in expected if prompt.rendered is not None]
    parameters = {"subject": subject.as_json(), "plain": plain, "prompts": prompts, "framed": "Hello"}
    answer: dict[str, Any] = run_job("edgeshrink.evaluate.checks.text:job", parameters)
    found = _File(**answer)
    return (
        _tokenizer(source, plain, found),
        _special(vocabulary, found),
        _stops(vocabulary, found),
        *_chat(source, vocabulary, expected, found),
    )


def job(parameters: dict[str, Any], emit: Any) -> dict[str, object]:
    """The child's side."""
    with Subject.of(parameters["subject"]).open_vocabulary() as session:

        def ids(texts: Sequence[str], parse_special: bool) -> list[list[int]]:
            return [session.tokenize(text, add_special=False, parse_special=parse_special) for text in texts]

        return {
            "plain": ids(parameters["plain"], False),
            "prompts": ids(parameters["prompts"], True),
            "framed": session.tokenize(parameters["framed"], add_special=True, parse_special=False),
            "template": session.chat_template,
            "bos_id": session.bos_id,
            "eos_id": session.eos_id,
            "stop_ids": session.stop_ids,
        }


def _plain_strings(source: SourceTokenizer | None, text: Text) -> list[str]:
    stride = max(_PASSAGE_CHARACTERS, len(text.text) // _PASSAGES)
    passages = [text.text[start : start + _PASSAGE_CHARACTERS] for start in range(0, len(text.text), stride)]
    strings = [*HARD_STRINGS, *passages]
    if source is not None and source.composes:  # llama.cpp never composes characters; the vocabulary's notes say so
        strings = [unicodedata.normalize("NFC", string) for string in strings]
    return strings


def _tokenizer(source: SourceTokenizer | None, strings: list[str], found: _File) -> Check:
    if source is None:
        return Check("tokenizer", "skipped", "the source is a GGUF: its tokenizer was carried over as it is")
    expected = source.encode(strings, parse_special=False)
    wrong = [
        f"{string[:30]!r} is {difference(ids, right)}"
        for string, ids, right in zip(strings, found.plain, expected, strict=True)
        if ids != right
    ]
    if wrong:
        shown = "; ".join(wrong[:_SHOWN])
        return Check("tokenizer", "failed", f"{len(wrong)} of {len(strings)} strings differ: {shown}")
    return Check("tokenizer", "ok", f"{len(strings)} strings give the source tokenizer's ids")


def difference(ids: list[int], right: list[int]) -> str:
    """Both lists around the first place where they differ."""
    place = next(
        (place for place, (one, other) in enumerate(zip(ids, right, strict=False)) if one != other),
        min(len(ids), len(right)),
    )
    start = max(0, place - _IDS_BEFORE)
    has, wants = (
        f"[{'..., ' if start else ''}{', '.join(map(str, given[start : start + _IDS_SHOWN]))}"
        f"{', ...' if len(given) > start + _IDS_SHOWN else ''}]"
        for given in (ids, right)
    )
    return f"{has} in the file and {wants} in the source (from id {place} on)"


def _special(vocabulary: Vocabulary, found: _File) -> Check:
    wrong = []
    for name, has, wants in (("BOS", found.bos_id, vocabulary.bos_id), ("EOS", found.eos_id, vocabulary.eos_id)):
        if wants is not None and has != wants:
            wrong.append(f"{name} is {has}, in the source {wants}")
    for name, token, wants, ends in (
        ("BOS", vocabulary.bos_id, vocabulary.add_bos, found.framed[:1]),
        ("EOS", vocabulary.eos_id, vocabulary.add_eos, found.framed[-1:]),
    ):
        if token is not None and (ends == [token]) != wants:
            wrong.append(f"{name} is {'not ' if wants else ''}added to a text, unlike in the source")
    if wrong:
        return Check("special tokens", "failed", "; ".join(wrong))
    return Check("special tokens", "ok", f"BOS {found.bos_id}, EOS {found.eos_id}, framing as in the source")


def _stops(vocabulary: Vocabulary, found: _File) -> Check:
    missing = sorted(set(vocabulary.stop_ids) - set(found.stop_ids))
    if missing:
        return Check("stop tokens", "failed", f"the runtime does not stop at {missing}, the source does")
    stops = ", ".join(map(str, sorted(vocabulary.stop_ids))) or "none"
    return Check("stop tokens", "ok", f"the runtime stops at all of the source's: {stops}")


def _chat(
    source: SourceTokenizer | None, vocabulary: Vocabulary, expected: list[_Prompt], found: _File
) -> tuple[Check, ...]:
    if vocabulary.chat_template is None:
        if found.template is not None:
            return (Check("chat template", "failed", "the source has none, the file has one"),)
        return (Check("chat template", "ok", "the source has none, nor has the file"),)
    if found.template is None:
        return (Check("chat template", "failed", "the source has one, the file has none"),)
    rendered = [prompt.rendered for prompt in expected if prompt.rendered is not None]
    own = expected if found.template == vocabulary.chat_template else _render_all(found.template, vocabulary)
    wrong = [one.name for one, other in zip(expected, own, strict=True) if one != other]
    if wrong:
        return (Check("chat template", "failed", f"renders differently: {', '.join(wrong)}"),)
    if not rendered:
        return (Check("chat template", "failed", f"renders no conversation: {expected[0].refusal}"),)
    refused = [prompt.name for prompt in expected if prompt.rendered is None]
    detail = f"{len(rendered)} conversations render as in the source"
    if refused:
        detail += f"; refused by the source's own template: {', '.join(refused)}"
    return (Check("chat template", "ok", detail), _prompt_tokens(source, rendered, found))


def _prompt_tokens(source: SourceTokenizer | None, rendered: list[str], found: _File) -> Check:
    name = "chat tokens"
    if source is None or not source.parses_special:
        return Check(name, "skipped", "the source's tokenizer library does not read special tokens in a text")
    texts = [unicodedata.normalize("NFC", text) if source.composes else text for text in rendered]
    expected = source.encode(texts, parse_special=True)
    wrong = sum(ids != right for ids, right in zip(found.prompts, expected, strict=True))
    differ = f"{wrong} of {len(rendered)} rendered conversations differ from the source's ids"
    if wrong and any(token.strips for token in source.added):
        return Check(name, "skipped", f"{differ}: its special tokens swallow spaces beside them, the runtime's do not")
    if wrong:
        return Check(name, "failed", differ)
    return Check(name, "ok", f"{len(rendered)} rendered conversations give the source tokenizer's ids")


def _render_all(template: str | None, vocabulary: Vocabulary) -> list[_Prompt]:
    if template is None:
        return []
    calls = [
        {
            "messages": conversation.messages,
            "tools": conversation.tools,
            "bos_token": _token(vocabulary, vocabulary.bos_id),
            "eos_token": _token(vocabulary, vocabulary.eos_id),
            "add_generation_prompt": conversation.asks,
        }
        for conversation in CONVERSATIONS
    ]
    return [
        _Prompt(conversation.name, None, answer.message)
        if isinstance(answer, DataError)
        else _Prompt(conversation.name, answer)
        for conversation, answer in zip(CONVERSATIONS, render_chats_bounded(template, calls), strict=True)
    ]


def _token(vocabulary: Vocabulary, number: int | None) -> str:
    return "" if number is None else vocabulary.tokens[number].decode("utf-8", "replace")
