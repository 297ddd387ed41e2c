"""A person's own items: a JSONL file, one object a line, that is checked once and then read line by line.

    {"messages": [{"role": "user", "content": "Which city?"}], "expected": "Rome"}    a chat
    {"prompt": "Which city?", "expected": ["Rome", "Roma"]}       one turn; plain text for a model without a template
    {"text": "The city is", "expected": "Rome"}                   plain text for every model
    {"prompt": "...", "choices": ["yes", "no"], "expected": "no"} the most probable of the choices (or its index)

A chat may end with the expected answer as the assistant's turn, as files for fine-tuning do. `schema` instead of
`expected` is a JSON Schema that the answer must fit. More keys: `scorer` (see scorers/registry.py), `tools`,
`max_tokens`, `stop`, `part` (a text or a list: the slice is divided by it), `id`. Prompts for a teacher to answer are
such lines, too: they need not say what is expected.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from edgeshrink.errors import DataError
from edgeshrink.evaluate.probes import Generate, Prompt
from edgeshrink.evaluate.scorers.registry import CHOICE, FUNCTION, SCORERS, kind_of, scorer

LONGEST_LINE = 1 << 20
_ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class OwnLine:
    """One item: `messages` of a chat, or plain `text`, which is a user's turn for a model with chats where `turn`.

    `scorer` is a key of SCORERS, "" where any answer will do; `parts` are those of the slice that it counts in.
    """

    messages: tuple[Mapping[str, Any], ...]
    text: str
    turn: bool
    tools: tuple[Mapping[str, Any], ...]
    scorer: str
    expected: Any
    choices: tuple[str, ...]
    max_tokens: int
    stop: tuple[str, ...]
    parts: tuple[str, ...]

    def asked(self, *, chat: bool) -> Prompt:
        """The prompt for a model that has a chat template, or none."""
        if self.messages:
            return Prompt(messages=self.messages, tools=self.tools)
        if self.turn and chat:
            return Prompt(messages=({"role": "user", "content": self.text},), tools=self.tools)
        return Prompt(text=self.text)

    def written(self, *, chat: bool, temperature: float = 0.0, seed: int = 0) -> Generate:
        """The probe that has it answered in words; an exact answer to plain text ends with its line."""
        prompt = self.asked(chat=chat)
        ends = self.scorer == "exact" and not prompt.messages and "\n" not in str(self.expected)
        stop = self.stop or (("\n",) if ends else ())
        return Generate(prompt, self.max_tokens, stop, temperature, seed)


def own_table(file: Path, *, name: str, **options: Any) -> dict[str, Any]:
    """The option `files` of the family `own` is a list of these, JSON values: `file` read through once and found
    right, with its digest. `options`: scorer, folder, ignore_case, graded, per, max_tokens, stop.

    DataError names the first line that is wrong.
    """
    table: dict[str, Any] = {"folder": str(file.parent), **options, "file": str(file), "name": name}
    kind = _kind(str(table.get("scorer") or ""), str(file))
    if kind == FUNCTION:
        _need_folder(table, file)
    count, chats, guessed = 0, 0, 0.0
    digest = sha256()
    for number, data in numbered_lines(file):
        digest.update(data)
        if not data.strip():
            continue
        line = own_line(data, table, number)
        count += 1
        chats += bool(line.messages)
        guessed += 1 / len(line.choices) if line.choices else 0.0
    if not count:
        raise DataError(f"{file} has no items", hint="one JSON object a line")
    return {**table, "sha256": digest.hexdigest(), "lines": count, "chats": chats, "chance": guessed / count}


def own_line(data: bytes, table: Mapping[str, Any], number: int, *, open_ended: bool = False) -> OwnLine:
    """DataError with file and line, and what was expected.

    `open_ended`: one without an expected answer will do; and the assistant's last turn is one only where a scorer is
    named, since no other answer is the same text.
    """
    where = f"{table['file']}, line {number}"
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {error}", hint="one JSON object a line") from error
    if not isinstance(value, dict):
        raise DataError(f"{where}: expected a JSON object, got {value!r:.80}", hint="one JSON object a line")
    messages = _messages(value, where)
    choices = _texts(value, "choices", where)
    expected, named = value.get("expected"), str(value.get("scorer") or "")
    if expected is None and isinstance(value.get("schema"), dict):
        expected, named = value["schema"], named or "json-schema"
    named = named or str(table.get("scorer") or "") or (CHOICE if choices else "")
    if messages and messages[-1]["role"] == "assistant" and (expected is None or open_ended):
        *messages, last = messages
        if expected is None and (named or not open_ended):
            expected = last["content"]
    text, turn = _text(value, messages, where)
    kind = _kind(named or "exact", where)
    if kind == FUNCTION and value.get("scorer"):
        raise DataError(f"{where}: a line of items cannot name code", hint=f"name {named} in a suite file")
    if expected is None and not open_ended:
        raise DataError(f"{where}: no expected answer", hint='add "expected": the right answer')
    if expected is None and kind != FUNCTION:
        kind = ""
    if kind == CHOICE and isinstance(expected, int) and 0 <= expected < len(choices):
        expected = choices[expected]
    if kind == CHOICE and (len(choices) < 2 or expected not in choices):
        raise DataError(f"{where}: expected at least two choices, one of them the expected answer")
    try:
        if kind:
            scorer(kind).check(expected, table)
    except ValueError as error:
        raise DataError(f"{where}: {kind}: {error}") from error
    most = value.get("max_tokens") or table.get("max_tokens") or (scorer(kind).max_tokens(expected) if kind else None)
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        raise DataError(f"{where}: max_tokens is {most!r:.80}, expected a whole number above zero")
    return OwnLine(
        messages=tuple(messages),
        text=text,
        turn=turn,
        tools=_tools(value, where),
        scorer=kind,
        expected=expected,
        choices=choices if kind == CHOICE else (),
        max_tokens=most,
        stop=_texts(value, "stop", where) or tuple(table.get("stop") or ()),
        parts=_texts(value, "part", where),
    )


class LinesAt:
    """Single lines of a file, by their order of non-empty lines; only where each begins is held."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._begins = array("Q")
        self._numbers = array("Q")
        position = 0
        for number, data in numbered_lines(file):
            if data.strip():
                self._begins.append(position)
                self._numbers.append(number)
            position += len(data)

    def __len__(self) -> int:
        return len(self._begins)

    def pick(self, indices: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """(line number from 1, its bytes) of each of `indices`."""
        with self._file.open("rb") as stream:
            for index in indices:
                stream.seek(self._begins[index])
                yield self._numbers[index], stream.readline()


def numbered_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with file.open("rb") as stream:
            number = 0
            while data := stream.readline(LONGEST_LINE + 1):
                number += 1
                if len(data) > LONGEST_LINE:
                    raise DataError(f"{file}, line {number}: longer than {LONGEST_LINE} bytes")
                yield number, data
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}") from error


def _kind(named: str, where: str) -> str:
    kind = kind_of(named or "exact")
    if kind is None:
        raise DataError(f"{where}: there is no scorer {named!r:.80}", hint=f"one of {', '.join(SCORERS)}")
    return kind


def _need_folder(table: Mapping[str, Any], file: Path) -> None:
    if not Path(table["folder"]).is_dir():
        raise DataError(f"{file}: the folder {table['folder']} of its scorer is not there")


def _messages(value: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    messages = value.get("messages", [])
    wrong = DataError(
        f"{where}: messages is {messages!r:.80}, expected a list of objects with role ({', '.join(_ROLES)}) and content"
    )
    if not isinstance(messages, list):
        raise wrong
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise wrong
        if not isinstance(message.get("content"), str) and not message.get("tool_calls"):
            raise wrong
    return messages


def _text(value: Mapping[str, Any], messages: list[dict[str, Any]], where: str) -> tuple[str, bool]:
    """The plain text, and whether it is a user's turn."""
    given = [key for key in ("prompt", "text") if isinstance(value.get(key), str) and value[key]]
    if len(given) + bool(messages) != 1:
        raise DataError(f"{where}: expected one of messages, prompt and text", hint="a prompt is one user's turn")
    return ("", False) if messages else (value[given[0]], given[0] == "prompt")


def _tools(value: Mapping[str, Any], where: str) -> tuple[Mapping[str, Any], ...]:
    tools = value.get("tools") or []
    if not isinstance(tools, list) or not all(map(_is_tool, tools)):
        raise DataError(f"{where}: tools is {tools!r:.80}, expected a list of functions in OpenAI's form")
    return tuple(tools)


def _is_tool(tool: Any) -> bool:
    function = tool.get("function", tool) if isinstance(tool, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def _texts(value: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    found = value.get(key)
    texts = [found] if isinstance(found, str) else found or []
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise DataError(f"{where}: {key} is {found!r:.80}, expected a text or a list of texts")
    return tuple(texts)
