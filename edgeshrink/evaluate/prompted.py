"""Prompts that a teacher answers, from a person's JSONL files (see own_items.py), as items to ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from edgeshrink.errors import DataError
from edgeshrink.evaluate.own_items import OwnLine, numbered_lines, own_line
from edgeshrink.evaluate.probes import Choose, Prompt
from edgeshrink.evaluate.scorers.registry import scorer
from edgeshrink.evaluate.slices.interface import Item
from edgeshrink.evaluate.slices.thoughts import without_thoughts


def prompt_table(file: Path, *, scorer: str | None, max_tokens: int) -> dict[str, Any]:
    """What `file` is read with, JSON values. `scorer`: of lines that name none; code is looked for beside the file."""
    return {"file": str(file), "folder": str(file.parent), "scorer": scorer, "max_tokens": max_tokens}


def count_prompts(tables: Iterable[Mapping[str, Any]]) -> int:
    """Of all files, read through once; DataError names the first line that is wrong, or says that there is none."""
    count, files = 0, []
    for table in tables:
        files.append(str(table["file"]))
        count += sum(1 for _ in _lines(table))
    if not count:
        raise DataError(f"{', '.join(files)}: no prompts", hint='one JSON object a line, such as {"prompt": "..."}')
    return count


def prompted_items(
    tables: Sequence[Mapping[str, Any]], *, samples: int, temperature: float, seed: int, chat: bool
) -> Iterator[Item]:
    """One a prompt, with a probe for each of its answers, all drawn differently. `chat`: the teacher has a template.

    `facts`: the prompt as it is put, and what judges an answer.
    """
    for place, table in enumerate(tables):
        for number, line in _lines(table):
            identity = f"{place + 1}-{number}"
            probes = tuple(
                line.written(chat=chat, temperature=temperature, seed=_seed(seed, identity, sample))
                for sample in range(samples)
            )
            prompt = line.asked(chat=chat)
            facts = {
                "messages": list(prompt.messages),
                "tools": list(prompt.tools),
                "text": prompt.text,
                "scorer": line.scorer,
                "expected": line.expected,
                "options": {key: table[key] for key in ("scorer", "folder") if table.get(key)},
            }
            yield Item(identity, probes, facts)


def scored_item(identity: str, prompt: Prompt, *answers: str, chat: bool) -> Item:
    """How probable is each of `answers` behind `prompt`? A model without a `chat` template reads one question as a
    line."""
    if not chat and [message["role"] for message in prompt.messages] == ["user"]:
        question = str(prompt.messages[0]["content"])
        prompt = Prompt(text=question if question[-1:].isspace() else f"{question}\n")
    return Item(identity, (Choose(prompt, answers),))


def is_right(kind: str, answer: str, expected: Any, options: Mapping[str, Any]) -> bool:
    """By the scorer `kind`, what follows the thoughts of `answer`."""
    return scorer(kind).score(without_thoughts(answer), expected, options) >= 0.5


def _lines(table: Mapping[str, Any]) -> Iterator[tuple[int, OwnLine]]:
    for number, data in numbered_lines(Path(table["file"])):
        if data.strip():
            yield number, own_line(data, table, number, open_ended=True)


def _seed(seed: int, identity: str, sample: int) -> int:
    return int.from_bytes(sha256(f"{seed}-{identity}-{sample}".encode()).digest()[:7])
